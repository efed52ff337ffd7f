//! REST as a server of the project uses it.

use reqwest::{Client, Method, StatusCode};
use serde_json::Value;

use super::{API_TOKEN, Server};

/// One client of one server.
pub(crate) struct Rest {
    client: Client,
    base: String,
}

impl Server {
    pub(crate) fn rest(&self) -> Rest {
        Rest { client: Client::new(), base: self.http("/api/video") }
    }
}

impl Rest {
    /// Status and body; no body is `null`.
    pub(crate) async fn send(&self, method: Method, path: &str, body: Option<&Value>) -> (StatusCode, Value) {
        // Links are whole addresses.
        let url = if path.starts_with("http") { path.to_owned() } else { format!("{}{path}", self.base) };
        let mut request = self.client.request(method, url).basic_auth("dev", Some(API_TOKEN));
        if let Some(body) = body {
            request = request.json(body);
        }
        let reply = request.send().await.unwrap();
        let status = reply.status();
        let text = reply.text().await.unwrap();
        let body = if text.is_empty() {
            Value::Null
        } else {
            serde_json::from_str(&text).expect("the body is JSON")
        };
        (status, body)
    }

    /// What is there.
    pub(crate) async fn get(&self, path: &str) -> Value {
        let (status, body) = self.send(Method::GET, path, None).await;
        assert_eq!(status, StatusCode::OK, "{path}: {body}");
        body
    }

    /// What was made.
    pub(crate) async fn make(&self, path: &str, body: &Value) -> Value {
        let (status, made) = self.send(Method::POST, path, Some(body)).await;
        assert_eq!(status, StatusCode::CREATED, "{path}: {made}");
        made
    }

    /// What it is now.
    pub(crate) async fn change(&self, path: &str, body: &Value) -> Value {
        let (status, changed) = self.send(Method::PUT, path, Some(body)).await;
        assert_eq!(status, StatusCode::OK, "{path}: {changed}");
        changed
    }

    pub(crate) async fn delete(&self, path: &str) {
        let (status, body) = self.send(Method::DELETE, path, None).await;
        assert_eq!((status, body), (StatusCode::NO_CONTENT, Value::Null), "{path}");
    }

    /// The attributes that a refused request names, with the codes.
    pub(crate) async fn refused(&self, method: Method, path: &str, body: &Value) -> Vec<(String, String)> {
        let (status, reply) = self.send(method, path, Some(body)).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{path}: {reply}");
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let errors = reply["errors"].as_array().unwrap();
        errors.iter().map(|error| (text(&error["attribute"]), text(&error["code"]))).collect()
    }

    pub(crate) async fn status(&self, method: Method, path: &str) -> StatusCode {
        self.send(method, path, None).await.0
    }
}

//! `[[webhooks]]`: who is told of events over HTTP.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use super::{ConfigError, file, within};
use crate::url_policy::{Purpose, UrlPolicy};
use crate::webhooks::{Address, Patience, Secret, Settings, event_of_name};

/// More are a sign that one of them should pass events on.
const MAX: usize = 32;

pub(super) fn webhooks(listed: Vec<file::Webhook>, egress: &UrlPolicy) -> Result<Vec<Settings>, ConfigError> {
    if listed.len() > MAX {
        return Err(ConfigError::new("webhooks", format!("{} are more than {MAX}", listed.len())));
    }
    let mut all: Vec<Settings> = Vec::with_capacity(listed.len());
    for (at, webhook) in listed.into_iter().enumerate() {
        let settings = one(at, webhook, egress)?;
        if all.iter().any(|other| other.name == settings.name) {
            return Err(ConfigError::new(key(at, "name"), format!("{:?} is there twice", settings.name)));
        }
        all.push(settings);
    }
    Ok(all)
}

fn key(at: usize, name: &str) -> String {
    format!("webhooks[{at}].{name}")
}

fn one(at: usize, webhook: file::Webhook, egress: &UrlPolicy) -> Result<Settings, ConfigError> {
    let key = |name| key(at, name);
    let name = webhook.name;
    let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if !(1..=64).contains(&name.len()) || !name.chars().all(is_plain) {
        return Err(ConfigError::new(
            key("name"),
            "1 to 64 letters, digits, hyphens and underscores are needed",
        ));
    }
    egress.read(Purpose::Webhook, &webhook.url).map_err(|refusal| ConfigError::new(key("url"), refusal))?;
    let events = webhook.events.iter().map(|name| event_of_name(name)).collect::<Result<Vec<_>, _>>();
    let events = events.map_err(|reason| ConfigError::new(key("events"), reason))?;
    if events.is_empty() {
        return Err(ConfigError::new(key("events"), "is needed"));
    }
    let seconds = within(&key("give_up_after_s"), webhook.give_up_after_s, 1, 7 * 24 * 3600)?;
    Ok(Settings {
        secret: secret(webhook.secret, webhook.secret_file.as_deref())
            .map_err(|reason| ConfigError::new(key("secret"), reason))?,
        authorities: match &webhook.ca_file {
            Some(path) => authorities(path).map_err(|reason| ConfigError::new(key("ca_file"), reason))?,
            None => Vec::new(),
        },
        patience: Patience {
            first: Duration::from_millis(within(
                &key("first_retry_ms"),
                webhook.first_retry_ms,
                10,
                3_600_000,
            )?),
            whole: Duration::from_secs(seconds),
        },
        name: Arc::from(name),
        url: Address(webhook.url),
        events,
        rooms: webhook.rooms,
    })
}

/// One of the two; the reason never contains the text.
fn secret(text: Option<String>, file: Option<&Path>) -> Result<Secret, String> {
    let text = match (text, file) {
        (Some(text), None) => text,
        (None, Some(path)) => {
            fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?
        }
        (None, None) => return Err("is needed, or secret_file".to_owned()),
        (Some(_), Some(_)) => return Err("is given twice, by secret_file too".to_owned()),
    };
    Ok(Secret::parse(&text)?)
}

fn authorities(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let wrong = |reason: String| format!("{}: {reason}", path.display());
    let found = CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| wrong(error.to_string()))?;
    if found.is_empty() {
        return Err(wrong("holds no certificate".to_owned()));
    }
    Ok(found)
}

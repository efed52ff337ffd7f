//! PostgreSQL across a network that others listen on.

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};

use super::*;

fn authority() -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

#[tokio::test]
async fn the_server_is_known_by_its_certificate() {
    let (ours, other) = (authority(), authority());
    let key = KeyPair::generate().unwrap();
    let certificate =
        CertificateParams::new(vec!["localhost".to_owned()]).unwrap().signed_by(&key, &ours).unwrap();
    let postgres = Postgres::start_with_tls(&certificate.pem(), &key.serialize_pem());
    let folder = tempfile::tempdir().unwrap();
    let url = postgres.database_at_port();
    let open = async |authority: &CertifiedIssuer<'static, KeyPair>| {
        let file = folder.path().join("ca.pem");
        std::fs::write(&file, authority.pem()).unwrap();
        let url = format!("{url}?sslmode=verify-full&sslrootcert={}", file.display());
        Storage::open(Place::postgres(&url).unwrap(), Arc::new(Metrics::new().unwrap())).await
    };
    let storage = open(&ours).await.unwrap();
    let encrypted: bool = sqlx::query_scalar("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()")
        .fetch_one(storage.reader())
        .await
        .unwrap();
    assert!(encrypted);
    storage.close(PATIENCE).await;
    let refused = open(&other).await.err().unwrap().to_string();
    assert!(refused.contains("certificate"), "{refused}");
}

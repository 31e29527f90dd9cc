use super::fake::read_request;
use super::{check, post, service, services};
use crate::services::Services;
use rustls::pki_types::PrivateKeyDer;
use rustls::{RootCertStore, ServerConfig};
use std::sync::Arc;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

/// Answers over TLS with a certificate for this name; gives its port and what to trust.
async fn fake_tls(tasks: &mut JoinSet<()>, name: &str) -> (u16, RootCertStore) {
    let made = rcgen::generate_simple_self_signed([name.to_owned()]).unwrap();
    let certificate = made.cert.der().clone();
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(certificate.clone()).unwrap();
    let config =
        ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate], key)
            .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tasks.spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let Ok(mut stream) = acceptor.accept(stream).await else {
                continue;
            };
            while read_request(&mut stream).await.is_some() {
                stream
                    .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nsealed")
                    .await
                    .unwrap();
                stream.flush().await.unwrap();
            }
        }
    });
    (port, roots)
}

#[tokio::test]
async fn a_trusted_certificate_is_accepted() {
    let mut tasks = JoinSet::new();
    let (port, roots) = fake_tls(&mut tasks, "localhost").await;
    let services =
        Services::trusting(&[service(&format!("https://localhost:{port}/"))], roots).unwrap();
    check(&post(&services).await, "200 sealed");
    check(&post(&services).await, "200 sealed");
}

#[tokio::test]
async fn a_certificate_of_an_unknown_issuer_is_refused_before_anything_is_sent() {
    let mut tasks = JoinSet::new();
    let (port, _) = fake_tls(&mut tasks, "localhost").await;
    let (_, other_roots) = fake_tls(&mut tasks, "localhost").await;
    let settings = service(&format!("https://localhost:{port}/"));
    let expected = "not sent: service `books`: no TLS connection to localhost: its certificate is not accepted, \
                    because it was issued by nobody whom this machine trusts";
    // A root of the same name with another key, and none at all.
    for roots in [other_roots, RootCertStore::empty()] {
        let services = Services::trusting(std::slice::from_ref(&settings), roots).unwrap();
        check(&post(&services).await, expected);
    }
    // The system's roots; a machine without any says so instead.
    let result = post(&services(settings)).await;
    if !result
        .as_ref()
        .unwrap_err()
        .message()
        .contains("no usable root certificates")
    {
        check(&result, expected);
    }
}

#[tokio::test]
async fn a_certificate_for_another_name_is_refused() {
    let mut tasks = JoinSet::new();
    let (port, roots) = fake_tls(&mut tasks, "books.example").await;
    let services =
        Services::trusting(&[service(&format!("https://localhost:{port}/"))], roots).unwrap();
    check(
        &post(&services).await,
        "not sent: service `books`: no TLS connection to localhost: its certificate is not accepted, because it is \
         for another name",
    );
}

#[tokio::test]
async fn a_server_that_speaks_no_tls_was_not_sent_to() {
    let fake = super::fake::Fake::saying(&[super::fake::ok("a")]).await;
    let settings = service(&format!("https://127.0.0.1:{}/", fake.port));
    let services = Services::trusting(&[settings], RootCertStore::empty()).unwrap();
    check(&post(&services).await, "not sent: service `books`: no ");
    assert!(fake.requests().iter().all(|it| !it.contains("paid")));
}

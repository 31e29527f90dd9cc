//! TLS to services: rustls with the system's roots.

use rustls::client::danger::ServerCertVerifier;
use rustls::crypto::CryptoProvider;
use rustls::{CertificateError, ClientConfig, RootCertStore};
use rustls_platform_verifier::Verifier;
use std::error::Error;
use std::sync::{Arc, OnceLock};

/// Whose certificates are trusted. The system's are read when the first `https` call needs them, so that a host without
/// any can still start, and call services without TLS.
#[derive(Debug, Default)]
pub(super) struct Tls {
    system: OnceLock<Arc<ClientConfig>>,
    /// Trusts these instead; for tests.
    #[cfg(test)]
    roots: Option<RootCertStore>,
}

impl Tls {
    #[cfg(test)]
    pub(super) fn trusting(roots: RootCertStore) -> Self {
        Self {
            system: OnceLock::new(),
            roots: Some(roots),
        }
    }

    /// The configuration for services of this scheme.
    pub(super) fn config(&self, scheme: &str) -> Result<Arc<ClientConfig>, String> {
        if scheme != "https" {
            // Never used, but the connector wants one.
            return with_roots(RootCertStore::empty());
        }
        #[cfg(test)]
        if let Some(roots) = &self.roots {
            return with_roots(roots.clone());
        }
        if let Some(known) = self.system.get() {
            return Ok(known.clone());
        }
        // A failure is not kept: once the certificates are installed, the next call goes.
        let verifier = Verifier::new(provider()).map_err(|it| {
            format!("this machine has no usable root certificates ({it}); install the package `ca-certificates`")
        })?;
        let config = with_verifier(Arc::new(verifier))?;
        Ok(self.system.get_or_init(|| config).clone())
    }
}

/// The one line to change for another implementation of the cryptography.
fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

fn with_roots(roots: RootCertStore) -> Result<Arc<ClientConfig>, String> {
    let builder = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(|it| it.to_string())?;
    Ok(Arc::new(
        builder.with_root_certificates(roots).with_no_client_auth(),
    ))
}

fn with_verifier(verifier: Arc<dyn ServerCertVerifier>) -> Result<Arc<ClientConfig>, String> {
    let builder = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(|it| it.to_string())?;
    // "Dangerous" is rustls's word for any verifier from outside; this one is the platform's own.
    let builder = builder
        .dangerous()
        .with_custom_certificate_verifier(verifier);
    Ok(Arc::new(builder.with_no_client_auth()))
}

/// The TLS error inside an error; each layer wraps it in an `io::Error` of its own, whose `source` skips it.
pub(super) fn tls_error<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a rustls::Error> {
    if let Some(tls) = error.downcast_ref::<rustls::Error>() {
        return Some(tls);
    }
    let inner: &'a (dyn Error + 'static) = error.downcast_ref::<std::io::Error>()?.get_ref()?;
    tls_error(inner)
}

/// For people who have never seen a certificate.
pub(super) fn explain(host: &str, error: &rustls::Error) -> String {
    let rustls::Error::InvalidCertificate(why) = error else {
        return format!("no TLS connection to {host}: {error}");
    };
    let why = match why {
        CertificateError::UnknownIssuer | CertificateError::BadSignature => {
            "it was issued by nobody whom this machine trusts".to_owned()
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            "it has expired".to_owned()
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "it is not valid yet (is this machine's clock right?)".to_owned()
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            "it is for another name".to_owned()
        }
        CertificateError::Revoked => "it was revoked".to_owned(),
        other => other.to_string(),
    };
    format!("no TLS connection to {host}: its certificate is not accepted, because {why}")
}

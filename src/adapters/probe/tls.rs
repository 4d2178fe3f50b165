//! TLS for `https` probes. A server on this machine needs no certificate that anybody vouches for; any other is held to
//! the system's own roots. Nothing is built before the first `https` probe.

use super::with_causes;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use std::sync::{Arc, OnceLock};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

static FOR_LOOPBACK: OnceLock<Arc<ClientConfig>> = OnceLock::new();
static FOR_OTHERS: OnceLock<Arc<ClientConfig>> = OnceLock::new();

/// Begins TLS on a connection; the error is in words, with all causes.
pub(super) async fn wrap(stream: TcpStream, host: &str, is_loopback: bool) -> Result<TlsStream<TcpStream>, String> {
    let name = ServerName::try_from(host.to_owned())
        .map_err(|error| format!("'{host}' cannot be a server's name: {}", with_causes(&error)))?;
    let config = if is_loopback { for_loopback()? } else { for_others().await? };
    let connected = TlsConnector::from(config).connect(name, stream).await;
    connected.map_err(|error| format!("no TLS connection: {}", with_causes(&error)))
}

fn for_loopback() -> Result<Arc<ClientConfig>, String> {
    if let Some(config) = FOR_LOOPBACK.get() {
        return Ok(Arc::clone(config));
    }
    let provider = provider();
    let anyone = Arc::new(Anyone { provider: Arc::clone(&provider) });
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| with_causes(&error))?
        .dangerous()
        .with_custom_certificate_verifier(anyone)
        .with_no_client_auth();
    Ok(Arc::clone(FOR_LOOPBACK.get_or_init(|| Arc::new(config))))
}

async fn for_others() -> Result<Arc<ClientConfig>, String> {
    if let Some(config) = FOR_OTHERS.get() {
        return Ok(Arc::clone(config));
    }
    // Reading a few hundred certificates takes milliseconds that the loop's thread does not have.
    let roots = tokio::task::spawn_blocking(system_roots).await.map_err(|error| with_causes(&error))??;
    let config = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(|error| with_causes(&error))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::clone(FOR_OTHERS.get_or_init(|| Arc::new(config))))
}

fn system_roots() -> Result<RootCertStore, String> {
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    let (added, _) = roots.add_parsable_certificates(found.certs);
    if added == 0 {
        let why = found.errors.first().map_or_else(String::new, |error| format!(": {}", with_causes(error)));
        return Err(format!("the system has no root certificates{why}"));
    }
    Ok(roots)
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

/// Takes any certificate: whoever could stand between devloop and a server on the same machine needs no certificate.
#[derive(Debug)]
struct Anyone {
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Anyone {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

//! Mutual TLS: both nodes show a certificate of the cluster's authority that names them.

use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::server::WebPkiClientVerifier;
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio::net::TcpStream;
use tokio_rustls::{TlsAcceptor, TlsConnector};

use crate::error::LinkError;
use crate::name::NodeName;
use crate::security::{Identity, Secured, TlsFiles};

/// Both ends of it.
pub(crate) struct Tls {
    acceptor: TlsAcceptor,
    connector: TlsConnector,
}

impl Tls {
    pub(crate) fn load(files: &TlsFiles) -> Result<Self, LinkError> {
        let mut roots = RootCertStore::empty();
        for certificate in certificates(&files.ca)? {
            roots.add(certificate).map_err(|error| unusable(&files.ca, &error))?;
        }
        let roots = Arc::new(roots);
        let chain = certificates(&files.certificate)?;
        let key = PrivateKeyDer::from_pem_file(&files.key).map_err(|error| unusable(&files.key, &error))?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let verifier = WebPkiClientVerifier::builder_with_provider(roots.clone(), provider.clone())
            .build()
            .map_err(|error| unusable(&files.ca, &error))?;
        let server = ServerConfig::builder_with_provider(provider.clone())
            .with_protocol_versions(&[&rustls::version::TLS13])
            .and_then(|builder| {
                builder.with_client_cert_verifier(verifier).with_single_cert(chain.clone(), key.clone_key())
            })
            .map_err(|error| unusable(&files.certificate, &error))?;
        let client = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13])
            .and_then(|builder| builder.with_root_certificates(roots).with_client_auth_cert(chain, key))
            .map_err(|error| unusable(&files.certificate, &error))?;
        Ok(Tls { acceptor: Arc::new(server).into(), connector: Arc::new(client).into() })
    }

    pub(crate) async fn accept(&self, stream: TcpStream) -> Result<Secured, String> {
        let stream = self.acceptor.accept(stream).await.map_err(|error| format!("no TLS: {error}"))?;
        let shown = stream.get_ref().1.peer_certificates().and_then(|chain| chain.first());
        let identity = Identity::Certificate(shown.ok_or("it shows no certificate")?.clone().into_owned());
        let (reader, writer) = tokio::io::split(stream);
        Ok(Secured { reader: Box::new(reader), writer: Box::new(writer), identity })
    }

    pub(crate) async fn dial(&self, stream: TcpStream, node: &NodeName) -> Result<Secured, String> {
        let name = ServerName::try_from(node.as_str().to_owned()).map_err(|error| error.to_string())?;
        let stream =
            self.connector.connect(name, stream).await.map_err(|error| format!("no TLS: {error}"))?;
        let shown = stream.get_ref().1.peer_certificates().and_then(|chain| chain.first());
        let identity = Identity::Certificate(shown.ok_or("it shows no certificate")?.clone().into_owned());
        let (reader, writer) = tokio::io::split(stream);
        Ok(Secured { reader: Box::new(reader), writer: Box::new(writer), identity })
    }
}

/// Whether a certificate names a node.
pub(crate) fn names(certificate: &CertificateDer<'_>, node: &NodeName) -> bool {
    let Ok(name) = ServerName::try_from(node.as_str()) else { return false };
    webpki::EndEntityCert::try_from(certificate)
        .is_ok_and(|certificate| certificate.verify_is_valid_for_subject_name(&name).is_ok())
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, LinkError> {
    let read = CertificateDer::pem_file_iter(path).map_err(|error| unusable(path, &error))?;
    let read = read.collect::<Result<Vec<_>, _>>().map_err(|error| unusable(path, &error))?;
    if read.is_empty() {
        return Err(LinkError::Certificate {
            path: path.to_owned(),
            reason: "it has no certificate".to_owned(),
        });
    }
    Ok(read)
}

fn unusable(path: &Path, error: &dyn std::error::Error) -> LinkError {
    LinkError::Certificate { path: path.to_owned(), reason: error.to_string() }
}

//! How connections are secured, and how it is known who is at their other end.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

use crate::error::LinkError;
use crate::name::NodeName;
#[cfg(feature = "tls")]
use crate::tls::Tls;

/// How links are secured.
#[derive(Clone, Debug)]
pub enum Security {
    /// Not at all, and over loopback addresses only: for one machine, whose users trust each other.
    Plain,
    /// Not at all. Whoever reaches the port can read what goes over the links and speak as a node.
    PlainAnywhere,
    /// TLS with certificates on both sides, which name the nodes.
    Tls(TlsFiles),
}

/// The files of a node's certificate, in PEM.
#[derive(Clone, Debug)]
pub struct TlsFiles {
    /// The certificates of the authorities that are trusted.
    pub ca: PathBuf,
    /// The certificate of the node and those between it and the authority. It names the node as a DNS name.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
}

/// What secures the connections of a node.
pub(crate) enum Guard {
    Plain,
    PlainAnywhere,
    #[cfg(feature = "tls")]
    Tls(Box<Tls>),
}

/// Who is at the other end of a connection, as far as that is proven.
#[derive(Clone, Debug)]
pub(crate) enum Identity {
    /// Not at all.
    Unproven,
    /// Whoever the certificate names.
    #[cfg(feature = "tls")]
    Certificate(rustls::pki_types::CertificateDer<'static>),
}

impl Identity {
    /// Whether it may be that node.
    pub(crate) fn is(
        &self,
        #[cfg_attr(
            not(feature = "tls"),
            expect(unused_variables, reason = "only a certificate proves a name")
        )]
        node: &NodeName,
    ) -> bool {
        match self {
            Identity::Unproven => true,
            #[cfg(feature = "tls")]
            Identity::Certificate(certificate) => crate::tls::names(certificate, node),
        }
    }
}

/// A connection that is secured as it should be.
pub(crate) struct Secured {
    pub(crate) reader: Box<dyn AsyncRead + Unpin>,
    pub(crate) writer: Box<dyn AsyncWrite + Unpin>,
    pub(crate) identity: Identity,
}

impl Guard {
    pub(crate) fn new(security: &Security) -> Result<Self, LinkError> {
        match security {
            Security::Plain => Ok(Guard::Plain),
            Security::PlainAnywhere => Ok(Guard::PlainAnywhere),
            #[cfg(feature = "tls")]
            Security::Tls(files) => Ok(Guard::Tls(Box::new(Tls::load(files)?))),
            #[cfg(not(feature = "tls"))]
            Security::Tls(_) => Err(LinkError::NoTls),
        }
    }

    /// Whether connections may go to an address, or come to it.
    pub(crate) fn may_reach(&self, address: SocketAddr) -> Result<(), LinkError> {
        let loopback_only = matches!(self, Guard::Plain);
        if loopback_only && !address.ip().is_loopback() {
            return Err(LinkError::NotLoopback { address });
        }
        Ok(())
    }

    /// Secures a connection that was accepted.
    pub(crate) async fn accept(&self, stream: TcpStream) -> Result<Secured, String> {
        match self {
            Guard::Plain | Guard::PlainAnywhere => Ok(plain(stream)),
            #[cfg(feature = "tls")]
            Guard::Tls(tls) => tls.accept(stream).await,
        }
    }

    /// Secures a connection that was dialled to reach a node.
    pub(crate) async fn dial(
        &self,
        stream: TcpStream,
        #[cfg_attr(
            not(feature = "tls"),
            expect(unused_variables, reason = "only a certificate proves a name")
        )]
        node: &NodeName,
    ) -> Result<Secured, String> {
        match self {
            Guard::Plain | Guard::PlainAnywhere => Ok(plain(stream)),
            #[cfg(feature = "tls")]
            Guard::Tls(tls) => tls.dial(stream, node).await,
        }
    }
}

impl fmt::Debug for Guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Guard::Plain => "Plain",
            Guard::PlainAnywhere => "PlainAnywhere",
            #[cfg(feature = "tls")]
            Guard::Tls(_) => "Tls",
        })
    }
}

fn plain(stream: TcpStream) -> Secured {
    let (reader, writer) = stream.into_split();
    Secured { reader: Box::new(reader), writer: Box::new(writer), identity: Identity::Unproven }
}

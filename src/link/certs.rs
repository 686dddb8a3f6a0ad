//! Certificates for the nodes of a cluster, from an authority that is made for it.
//!
//! For development and for small clusters: the private key of the authority lies beside what it signed. Whoever reads
//! it can speak as any node, so keep it elsewhere once all certificates are made.

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};

use crate::name::NodeName;
use crate::security::TlsFiles;

/// Why certificates could not be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CertsError {
    /// A file cannot be written. A file that is there is never written over.
    #[error("cannot write {}, is it there already? {source}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// A certificate cannot be made.
    #[error("cannot make the certificate of {of}: {source}")]
    Make {
        /// Whose.
        of: String,
        /// What is wrong.
        source: rcgen::Error,
    },
}

/// Makes an authority, and a certificate for each node, in a directory: `ca.pem`, `ca.key`, `{node}.pem`, `{node}.key`.
/// Only the owner may read them. The files of each node, in their order.
///
/// # Errors
///
/// Where a file is there already, or the directory cannot be written.
pub fn create(directory: &Path, cluster: &str, nodes: &[NodeName]) -> Result<Vec<TlsFiles>, CertsError> {
    std::fs::create_dir_all(directory)
        .map_err(|source| CertsError::Write { path: directory.to_owned(), source })?;
    let (ca, issuer) = authority(cluster).map_err(|source| made("the authority", source))?;
    let ca_path = directory.join("ca.pem");
    write(&ca_path, &ca)?;
    write(&directory.join("ca.key"), &issuer.key().serialize_pem())?;
    let file = |node: &NodeName, end: &str| directory.join(format!("{node}.{end}"));
    let make = |node: &NodeName| {
        let (certificate, key) = certificate(node, &issuer).map_err(|source| made(node.as_str(), source))?;
        let files = TlsFiles { ca: ca_path.clone(), certificate: file(node, "pem"), key: file(node, "key") };
        write(&files.certificate, &certificate)?;
        write(&files.key, &key)?;
        Ok(files)
    };
    nodes.iter().map(make).collect()
}

fn made(of: &str, source: rcgen::Error) -> CertsError {
    CertsError::Make { of: of.to_owned(), source }
}

fn authority(cluster: &str) -> Result<(String, Issuer<'static, KeyPair>), rcgen::Error> {
    let key = KeyPair::generate()?;
    let mut params = CertificateParams::new(Vec::new())?;
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.distinguished_name.push(DnType::CommonName, format!("watershed cluster {cluster}"));
    let certificate = params.self_signed(&key)?;
    Ok((certificate.pem(), Issuer::new(params, key)))
}

fn certificate(node: &NodeName, issuer: &Issuer<'_, KeyPair>) -> Result<(String, String), rcgen::Error> {
    let key = KeyPair::generate()?;
    let mut params = CertificateParams::new(vec![node.to_string()])?;
    params.distinguished_name.push(DnType::CommonName, node.as_str());
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages =
        vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
    params.use_authority_key_identifier_extension = true;
    let certificate = params.signed_by(&key, issuer)?;
    Ok((certificate.pem(), key.serialize_pem()))
}

fn write(path: &Path, text: &str) -> Result<(), CertsError> {
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    file.and_then(|mut file| {
        file.write_all(text.as_bytes())?;
        file.sync_all()
    })
    .map_err(|source| CertsError::Write { path: path.to_owned(), source })
}

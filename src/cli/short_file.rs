//! Files that hold a word or some settings: they are read up to a limit and no further, whatever somebody has put in
//! their place. A device has no length, and a file may grow while it is read.

use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::path::Path;

/// The text of a file that has so many bytes at most.
pub(super) fn text_in(path: &Path, bytes_max: u64) -> io::Result<String> {
    let mut bytes = Vec::new();
    File::open(path)?.take(bytes_max + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > bytes_max {
        return Err(io::Error::new(ErrorKind::FileTooLarge, format!("it is longer than {bytes_max} bytes")));
    }
    String::from_utf8(bytes).map_err(|_| io::Error::new(ErrorKind::InvalidData, "it is no text"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_without_an_end_is_not_read_to_it() {
        let endless = text_in(Path::new("/dev/zero"), 10).unwrap_err();
        assert_eq!(endless.to_string(), "it is longer than 10 bytes");
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "0123456789").unwrap();
        assert_eq!(text_in(file.path(), 10).unwrap(), "0123456789");
        assert!(text_in(file.path(), 9).is_err());
    }
}

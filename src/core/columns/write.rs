//! Writes the parts of a batch.

/// The array of a batch while its columns are appended to it.
#[derive(Debug)]
pub struct ColumnWriter<'a> {
    out: &'a mut Vec<u8>,
    /// Where the number of parts goes.
    begin: usize,
    parts: u16,
}

impl<'a> ColumnWriter<'a> {
    /// Begins the array of a batch of so many records.
    pub(super) fn begin(records: usize, out: &'a mut Vec<u8>) -> Self {
        let begin = out.len();
        out.extend([0xdc, 0, 0, 0xce]);
        let records = u32::try_from(records).expect("a batch holds fewer than 2^32 records");
        out.extend(records.to_be_bytes());
        ColumnWriter { out, begin, parts: 1 }
    }

    /// Appends a column.
    pub(super) fn column(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        self.parts += 1;
        self.out.extend([0xc6, 0, 0, 0, 0]);
        let begin = self.out.len();
        write(self.out);
        let length = u32::try_from(self.out.len() - begin).expect("a column has fewer than 2^32 bytes");
        self.out[begin - 4..begin].copy_from_slice(&length.to_be_bytes());
    }

    /// Appends a column of `count` values of one width, and `values` yields that many.
    pub(super) fn fixed<const N: usize>(&mut self, count: usize, values: impl Iterator<Item = [u8; N]>) {
        self.column(|out| {
            let begin = out.len();
            out.resize(begin + count * N, 0);
            for (place, value) in out[begin..].as_chunks_mut().0.iter_mut().zip(values) {
                *place = value;
            }
        });
    }

    /// Ends the array.
    pub(super) fn finish(self) {
        self.out[self.begin + 1..self.begin + 3].copy_from_slice(&self.parts.to_be_bytes());
    }
}

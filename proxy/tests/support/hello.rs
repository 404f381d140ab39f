//! How is a ClientHello made, right or wrong, for a test?

/// A ClientHello under construction.
pub(crate) struct Hello {
    extensions: Vec<(u16, Vec<u8>)>,
    raw: Vec<u8>,
}

impl Hello {
    /// With the extensions that every parser wants, and no server name.
    pub(crate) fn new() -> Hello {
        let groups = vec![0, 2, 0, 29];
        let signatures = vec![0, 2, 4, 3];
        Hello { extensions: vec![(10, groups), (13, signatures), (43, vec![2, 3, 4])], raw: Vec::new() }
    }

    /// With this server name.
    pub(crate) fn to(name: &str) -> Hello {
        Hello::new().with(0, server_names(&[name.as_bytes()]))
    }

    /// With one more extension.
    pub(crate) fn with(mut self, kind: u16, content: Vec<u8>) -> Hello {
        self.extensions.push((kind, content));
        self
    }

    /// With one more extension before all others.
    pub(crate) fn with_first(mut self, kind: u16, content: Vec<u8>) -> Hello {
        self.extensions.insert(0, (kind, content));
        self
    }

    /// With these bytes at the end of the extension list, as they are.
    pub(crate) fn with_raw(mut self, bytes: &[u8]) -> Hello {
        self.raw = bytes.to_vec();
        self
    }

    /// The handshake message.
    pub(crate) fn message(&self) -> Vec<u8> {
        let mut extensions = Vec::new();
        for (kind, content) in &self.extensions {
            extensions.extend(kind.to_be_bytes());
            extensions.extend(length(content.len()));
            extensions.extend(content);
        }
        extensions.extend(&self.raw);
        let mut body = vec![3, 3];
        body.extend([7; 32]);
        body.extend([0, 0, 2, 0x13, 0x01, 1, 0]);
        body.extend(length(extensions.len()));
        body.extend(extensions);
        let mut message = vec![1, (body.len() >> 16) as u8, (body.len() >> 8) as u8, body.len() as u8];
        message.extend(body);
        message
    }

    /// In records of at most 16 KiB.
    pub(crate) fn records(&self) -> Vec<u8> {
        in_records(&self.message(), 1 << 14)
    }
}

/// The content of a server_name extension with these names.
pub(crate) fn server_names(names: &[&[u8]]) -> Vec<u8> {
    let mut list = Vec::new();
    for name in names {
        list.push(0);
        list.extend(length(name.len()));
        list.extend(*name);
    }
    let mut content = length(list.len()).to_vec();
    content.extend(list);
    content
}

/// Handshake records of at most `most` bytes each.
pub(crate) fn in_records(message: &[u8], most: usize) -> Vec<u8> {
    message.chunks(most).flat_map(|chunk| [&[22, 3, 1], &length(chunk.len())[..], chunk].concat()).collect()
}

fn length(count: usize) -> [u8; 2] {
    u16::try_from(count).expect("fits").to_be_bytes()
}

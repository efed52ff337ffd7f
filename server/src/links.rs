//! Links to files and pictures, for a while.
//!
//! in:  what the link is to, until when
//! out: `/recordings/<id>.mp4?expires=<unix seconds>&signature=<hex>` and the like; whether such a link is ours
//!
//! Whoever has the link has what is behind it, until it expires: players and pages send no credentials.

use aws_lc_rs::hmac;

/// What links lead to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Behind {
    /// The file of a recording.
    Recording,
    /// A picture of a room session.
    Preview,
}

/// Signs and checks links of one kind.
pub(crate) struct Links {
    key: hmac::Key,
    behind: Behind,
}

impl Links {
    pub(crate) fn new(secret: &[u8], behind: Behind) -> Self {
        Self { key: hmac::Key::new(hmac::HMAC_SHA256, secret), behind }
    }

    pub(crate) fn path(&self, id: &str, expires: u64) -> String {
        let tag = hmac::sign(&self.key, self.message(id, expires).as_bytes());
        let signature = crate::random::hex(tag.as_ref());
        let (folder, ending) = match self.behind {
            Behind::Recording => ("recordings", "mp4"),
            Behind::Preview => ("previews", "jpg"),
        };
        format!("/{folder}/{id}.{ending}?expires={expires}&signature={signature}")
    }

    pub(crate) fn is_good(&self, id: &str, expires: u64, signature: &str, now: u64) -> bool {
        let digits = signature.as_bytes().chunks(2).map(|two| {
            let text = std::str::from_utf8(two).ok().filter(|text| text.len() == 2)?;
            u8::from_str_radix(text, 16).ok()
        });
        let Some(tag) = digits.collect::<Option<Vec<u8>>>() else { return false };
        expires > now && hmac::verify(&self.key, self.message(id, expires).as_bytes(), &tag).is_ok()
    }

    fn message(&self, id: &str, expires: u64) -> String {
        let what = match self.behind {
            Behind::Recording => "recording",
            Behind::Preview => "preview",
        };
        format!("{what} {id} until {expires}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_is_good_for_one_thing_and_one_time() {
        let links = Links::new(&[7; 64], Behind::Recording);
        let path = links.path("a", 1000);
        assert!(path.starts_with("/recordings/a.mp4?expires=1000&signature="), "{path}");
        let signature = path.split_once("signature=").unwrap().1;
        assert!(links.is_good("a", 1000, signature, 999));
        assert!(!links.is_good("a", 1000, signature, 1000), "expired");
        assert!(!links.is_good("b", 1000, signature, 999), "another file");
        assert!(!links.is_good("a", 1001, signature, 999), "longer");
        assert!(
            !Links::new(&[8; 64], Behind::Recording).is_good("a", 1000, signature, 999),
            "another server's"
        );
        assert!(!Links::new(&[7; 64], Behind::Preview).is_good("a", 1000, signature, 999), "another kind");
        for bad in ["", "0", "zz", &signature[1..], &signature.replace('a', "é"), &signature[2..]] {
            assert!(!links.is_good("a", 1000, bad, 999), "{bad}");
        }
    }
}

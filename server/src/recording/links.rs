//! Links to finished files, for a while.
//!
//! in:  the id of a recording, how long
//! out: `/recordings/<id>.mp4?expires=<unix seconds>&signature=<hex>`; whether such a link is ours
//!
//! Whoever has the link has the file, until it expires: players send no credentials.

use aws_lc_rs::hmac;

/// Signs and checks.
pub(super) struct Links(hmac::Key);

impl Links {
    pub(super) fn new(secret: &[u8]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, secret))
    }

    pub(super) fn path(&self, id: &str, expires: u64) -> String {
        let tag = hmac::sign(&self.0, message(id, expires).as_bytes());
        let signature = crate::random::hex(tag.as_ref());
        format!("/recordings/{id}.mp4?expires={expires}&signature={signature}")
    }

    pub(super) fn is_good(&self, id: &str, expires: u64, signature: &str, now: u64) -> bool {
        let digits = signature.as_bytes().chunks(2).map(|two| {
            let text = std::str::from_utf8(two).ok().filter(|text| text.len() == 2)?;
            u8::from_str_radix(text, 16).ok()
        });
        let Some(tag) = digits.collect::<Option<Vec<u8>>>() else { return false };
        expires > now && hmac::verify(&self.0, message(id, expires).as_bytes(), &tag).is_ok()
    }
}

fn message(id: &str, expires: u64) -> String {
    format!("recording {id} until {expires}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_is_good_for_one_file_and_one_time() {
        let links = Links::new(&[7; 64]);
        let path = links.path("a", 1000);
        let signature = path.split_once("signature=").unwrap().1;
        assert!(links.is_good("a", 1000, signature, 999));
        assert!(!links.is_good("a", 1000, signature, 1000), "expired");
        assert!(!links.is_good("b", 1000, signature, 999), "another file");
        assert!(!links.is_good("a", 1001, signature, 999), "longer");
        assert!(!Links::new(&[8; 64]).is_good("a", 1000, signature, 999), "another server's");
        for bad in ["", "0", "zz", &signature[1..], &signature.replace('a', "é"), &signature[2..]] {
            assert!(!links.is_good("a", 1000, bad, 999), "{bad}");
        }
    }
}

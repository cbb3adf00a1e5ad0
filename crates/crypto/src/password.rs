//! Passwords: bcrypt, as the documented server stores them.

/// Fewest characters (BitTrade document).
pub const PASSWORD_CHARS_MIN: usize = 6;
/// Most bytes: bcrypt reads no more, and a byte that does not count must not be accepted.
pub const PASSWORD_BYTES_MAX: usize = 72;

/// Why a text may not become a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PasswordError {
    /// Fewer than [`PASSWORD_CHARS_MIN`] characters.
    #[error("Password must be at least 6 characters long")]
    Short,
    /// More than [`PASSWORD_BYTES_MAX`] bytes.
    #[error("Password must be at most 72 bytes long")]
    Long,
    /// Contains NUL, where some implementations stop reading.
    #[error("Password must not contain NUL characters")]
    Nul,
    /// Among the first that anybody tries.
    #[error("This password is too common. Please choose another one")]
    Common,
    /// bcrypt refused to work.
    #[error("The password could not be processed")]
    Hash,
}

/// Well-known passwords of six and more characters, in lower case, sorted.
const COMMON: &[&str] = &[
    "000000",
    "0000000",
    "00000000",
    "0123456789",
    "102030",
    "111111",
    "1111111",
    "11111111",
    "111222",
    "112233",
    "121212",
    "123123",
    "123123123",
    "123321",
    "1234321",
    "12341234",
    "123456",
    "1234561",
    "1234567",
    "12345678",
    "123456789",
    "1234567890",
    "123456a",
    "123456q",
    "1234qwer",
    "123654",
    "123abc",
    "123qwe",
    "131313",
    "147258369",
    "159357",
    "159753",
    "18atcskd2w",
    "1g2w3e4r",
    "1q2w3e",
    "1q2w3e4r",
    "1q2w3e4r5t",
    "1qaz2wsx",
    "1qazxsw2",
    "222222",
    "232323",
    "3rjs1la7qe",
    "333333",
    "444444",
    "454545",
    "555555",
    "654321",
    "666666",
    "6969696",
    "696969",
    "777777",
    "7777777",
    "789456",
    "789456123",
    "87654321",
    "888888",
    "88888888",
    "987654",
    "987654321",
    "999999",
    "99999999",
    "a123456",
    "a1b2c3",
    "aa123456",
    "aaaaaa",
    "abc123",
    "abc12345",
    "abcd1234",
    "abcdef",
    "abcdefg",
    "access",
    "admin1",
    "admin123",
    "administrator",
    "adminadmin",
    "andrew",
    "angel1",
    "anthony",
    "arsenal",
    "ashley",
    "asdasd",
    "asdf1234",
    "asdfasdf",
    "asdfgh",
    "asdfghjkl",
    "austin",
    "babygirl",
    "bailey",
    "banana",
    "barcelona",
    "baseball",
    "batman",
    "benjamin",
    "biteme",
    "bitcoin",
    "bittrade",
    "blink182",
    "bubbles",
    "buster",
    "butterfly",
    "changeme",
    "charlie",
    "cheese",
    "chelsea",
    "chocolate",
    "computer",
    "cookie",
    "corvette",
    "dallas",
    "daniel",
    "default",
    "dragon",
    "dubsmash",
    "eminem",
    "family",
    "ferrari",
    "flower",
    "football",
    "football1",
    "freedom",
    "friends",
    "fuckyou",
    "george",
    "ginger",
    "google",
    "guest123",
    "hannah",
    "harley",
    "hello1",
    "hello123",
    "helloworld",
    "hockey",
    "hunter",
    "hunter2",
    "iloveyou",
    "iloveyou1",
    "internet",
    "jasmine",
    "jennifer",
    "jessica",
    "jordan",
    "jordan23",
    "joshua",
    "killer",
    "letmein",
    "letmein1",
    "liverpool",
    "london",
    "lovely",
    "loveme",
    "madison",
    "maggie",
    "marina",
    "master",
    "matrix",
    "matthew",
    "merlin",
    "michael",
    "michelle",
    "monkey",
    "monkey1",
    "mustang",
    "mynoob",
    "naruto",
    "nicole",
    "ninja1",
    "number1",
    "orange",
    "p@ssw0rd",
    "p@ssword",
    "passw0rd",
    "password",
    "password!",
    "password1",
    "password12",
    "password123",
    "pepper",
    "pokemon",
    "princess",
    "princess1",
    "purple",
    "q1w2e3r4",
    "q1w2e3r4t5",
    "qazwsx",
    "qazwsxedc",
    "qwe123",
    "qweasd",
    "qweasdzxc",
    "qweqwe",
    "qwer1234",
    "qwerty",
    "qwerty1",
    "qwerty12",
    "qwerty123",
    "qwertyui",
    "qwertyuiop",
    "ranger",
    "robert",
    "samsung",
    "secret",
    "secret1",
    "shadow",
    "soccer",
    "spiderman",
    "starwars",
    "summer",
    "sunshine",
    "sunshine1",
    "superman",
    "taylor",
    "tennis",
    "test123",
    "test1234",
    "testing",
    "thomas",
    "thunder",
    "tigger",
    "tinkle",
    "trustno1",
    "unknown",
    "welcome",
    "welcome1",
    "whatever",
    "william",
    "winner",
    "yankees",
    "yellow",
    "zaq12wsx",
    "zxcvbn",
    "zxcvbnm",
];

/// May this become a password?
pub fn check_password(password: &str) -> Result<(), PasswordError> {
    if password.chars().count() < PASSWORD_CHARS_MIN {
        return Err(PasswordError::Short);
    }
    if password.len() > PASSWORD_BYTES_MAX {
        return Err(PasswordError::Long);
    }
    if password.contains('\0') {
        return Err(PasswordError::Nul);
    }
    let lower = password.to_lowercase();
    if COMMON.contains(&lower.as_str()) { Err(PasswordError::Common) } else { Ok(()) }
}

/// The bcrypt hash (`$2b$…`). Takes some 200 ms of one core at cost 12.
pub fn hash_password(password: &str, cost: u32, salt: [u8; 16]) -> Result<String, PasswordError> {
    if password.len() > PASSWORD_BYTES_MAX {
        return Err(PasswordError::Long);
    }
    bcrypt::hash_with_salt(password, cost, salt).map(|parts| parts.to_string()).map_err(|_| PasswordError::Hash)
}

/// Is this the password of that hash? Takes as long as hashing.
pub fn verify_password(password: &str, hash: &str) -> Result<bool, PasswordError> {
    if password.len() > PASSWORD_BYTES_MAX {
        // no such password was ever stored; work as long as for any other
        bcrypt::verify("", hash).map_err(|_| PasswordError::Hash)?;
        return Ok(false);
    }
    bcrypt::verify(password, hash).map_err(|_| PasswordError::Hash)
}

/// Works as long as [`verify_password`] at that cost, for accounts that do not exist.
pub fn verify_nothing(password: &str, cost: u32) {
    let cut: String = password.chars().take(18).collect();
    // the result is of no interest, the time is
    let _ = std::hint::black_box(hash_password(&cut, cost, [7; 16]));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_and_common_ones() {
        for (password, want) in [
            ("12345", Err(PasswordError::Short)),
            ("ééééé", Err(PasswordError::Short)),
            ("PassWord", Err(PasswordError::Common)),
            ("123456", Err(PasswordError::Common)),
            ("securepassword", Ok(())),
            ("with\0nul", Err(PasswordError::Nul)),
        ] {
            assert_eq!(check_password(password), want, "{password}");
        }
        assert_eq!(check_password(&"x1".repeat(36)), Ok(()));
        assert_eq!(check_password(&"x".repeat(73)), Err(PasswordError::Long));
        assert!(COMMON.iter().all(|c| *c == c.to_lowercase()));
    }

    #[test]
    fn every_byte_counts() {
        let long = "a".repeat(72);
        let hash = hash_password(&long, 4, [1; 16]).unwrap();
        assert!(verify_password(&long, &hash).unwrap());
        assert!(!verify_password(&long[..71], &hash).unwrap());
        assert!(!verify_password(&format!("{long}b"), &hash).unwrap());
        assert_eq!(hash_password(&format!("{long}b"), 4, [1; 16]), Err(PasswordError::Long));
    }
}

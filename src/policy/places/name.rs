use crate::call::PlaceKind;

const WORDS: [(&str, PlaceKind); 10] = [
    ("url", PlaceKind::Url),
    ("urls", PlaceKind::Url),
    ("uri", PlaceKind::Url),
    ("uris", PlaceKind::Url),
    ("path", PlaceKind::Path),
    ("paths", PlaceKind::Path),
    ("file", PlaceKind::Path),
    ("files", PlaceKind::Path),
    ("dir", PlaceKind::Path),
    ("dirs", PlaceKind::Path),
];

/// What an argument of this name is, by the last word of the name in snake, kebab or camel case. A
/// number behind the word does not hide it.
pub(super) fn kind_of(name: &str) -> Option<PlaceKind> {
    let name = name.trim_end_matches(|letter: char| !letter.is_alphabetic());
    let kind = |(word, kind): (&str, PlaceKind)| {
        let (head, tail) = name.split_at_checked(name.len().checked_sub(word.len())?)?;
        (tail.eq_ignore_ascii_case(word) && begins_a_word(head, tail)).then_some(kind)
    };
    WORDS.into_iter().find_map(kind)
}

fn begins_a_word(head: &str, tail: &str) -> bool {
    let Some(before) = head.chars().next_back() else { return true };
    let mut letters = tail.chars();
    let capital = letters.next().is_some_and(char::is_uppercase);
    let then_small = letters.next().is_some_and(char::is_lowercase);
    !before.is_alphabetic() || (capital && (!before.is_uppercase() || then_small))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_word_of_a_name_says_what_it_is() {
        let url = [
            "url",
            "URL",
            "urls",
            "Uri",
            "image_url",
            "imageUrl",
            "baseURL",
            "HTTPUrl",
            "callback-uri",
            "BASE_URL",
            "pathUrl",
            "url2",
            "url_1",
            "theURLs",
            "a.url",
            "urls[]",
        ];
        let path = [
            "path",
            "paths",
            "file",
            "files",
            "dir",
            "dirs",
            "outputDir",
            "output_path",
            "urlPath",
            "FILE",
            "source-file",
            "éPath",
        ];
        let neither = [
            "",
            "curl",
            "profile",
            "xpath",
            "dockerfile",
            "redirect",
            "path_id",
            "urlish",
            "fileName",
            "filename",
            "PROFILE",
            "hourly",
            "é",
            "text",
            "1",
        ];
        for name in url {
            assert_eq!(kind_of(name), Some(PlaceKind::Url), "{name}");
        }
        for name in path {
            assert_eq!(kind_of(name), Some(PlaceKind::Path), "{name}");
        }
        for name in neither {
            assert_eq!(kind_of(name), None, "{name}");
        }
    }
}

//! The languages of the pages, and their texts.

use http::{HeaderMap, header::ACCEPT_LANGUAGE};
use serde::Serialize;

/// A language that the pages speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Language {
    English,
    SimplifiedChinese,
}

/// The texts of one language.
#[derive(Serialize)]
pub(crate) struct Texts {
    pub(crate) setup_title: &'static str,
    pub(crate) setup_intro: &'static str,
    pub(crate) name_forever_before: &'static str,
    pub(crate) name_forever_after: &'static str,
    pub(crate) username: &'static str,
    pub(crate) username_hint: &'static str,
    pub(crate) password: &'static str,
    pub(crate) password_hint: &'static str,
    pub(crate) repeated: &'static str,
    pub(crate) make_administrator: &'static str,
    pub(crate) done_title: &'static str,
    pub(crate) done_intro: &'static str,
    pub(crate) your_id: &'static str,
    pub(crate) server_address: &'static str,
    pub(crate) link_unknown_title: &'static str,
    pub(crate) link_unknown: &'static str,
    pub(crate) link_used_title: &'static str,
    pub(crate) link_used: &'static str,
    pub(crate) bad_name: &'static str,
    pub(crate) name_taken: &'static str,
    pub(crate) bad_password: &'static str,
    pub(crate) passwords_differ: &'static str,
    pub(crate) incomplete: &'static str,
    pub(crate) failed_title: &'static str,
    pub(crate) failed: &'static str,
}

const ENGLISH: Texts = Texts {
    setup_title: "Make the first administrator",
    setup_intro: "This server is new. Choose a name and a password for the account that will administer it.",
    name_forever_before: "This server is called",
    name_forever_after: ". Its name is part of every address and can never change: if it is wrong, stop the server, delete its data and start it with the right name.",
    username: "User name",
    username_hint: "Lower-case letters, digits and the characters . _ = - / +",
    password: "Password",
    password_hint: "At least 8 characters; a few words are easier to keep than signs.",
    repeated: "Password, once more",
    make_administrator: "Make the administrator",
    done_title: "The administrator is made",
    done_intro: "Sign in with any Matrix client, such as Element, and invite your people. This link no longer works.",
    your_id: "Your address",
    server_address: "The server's address for clients",
    link_unknown_title: "This link does not work",
    link_unknown: "It is incomplete, or it has expired. Start the server again: it prints a new link.",
    link_used_title: "This server has an administrator",
    link_used: "The link has served its purpose. Sign in with a Matrix client instead.",
    bad_name: "This cannot be a user name: use lower-case letters, digits and the characters . _ = - / + only.",
    name_taken: "This user name is taken.",
    bad_password: "The password must have 8 characters or more, and at most 512 bytes.",
    passwords_differ: "The two passwords are not the same.",
    incomplete: "The form did not arrive in one piece. Open the link again.",
    failed_title: "That did not work",
    failed: "Something is wrong on the server, and its log says what. Nothing was changed.",
};

const SIMPLIFIED_CHINESE: Texts = Texts {
    setup_title: "创建第一位管理员",
    setup_intro: "这是一台新服务器。请为将要管理它的账户选择用户名和密码。",
    name_forever_before: "本服务器的名称是",
    name_forever_after: "。该名称是每个地址的一部分，永远无法更改：如果名称有误，请停止服务器、删除其数据，然后用正确的名称重新启动。",
    username: "用户名",
    username_hint: "小写字母、数字以及字符 . _ = - / +",
    password: "密码",
    password_hint: "至少 8 个字符；几个词语比符号更容易记住。",
    repeated: "再次输入密码",
    make_administrator: "创建管理员",
    done_title: "管理员已创建",
    done_intro: "请使用任意 Matrix 客户端（例如 Element）登录，并邀请您的成员。此链接已失效。",
    your_id: "您的地址",
    server_address: "客户端使用的服务器地址",
    link_unknown_title: "此链接无效",
    link_unknown: "链接不完整或已过期。请重新启动服务器，它会给出新的链接。",
    link_used_title: "本服务器已有管理员",
    link_used: "此链接已完成使命。请改用 Matrix 客户端登录。",
    bad_name: "用户名无效：只能使用小写字母、数字以及字符 . _ = - / +。",
    name_taken: "该用户名已被占用。",
    bad_password: "密码至少需要 8 个字符，最多 512 字节。",
    passwords_differ: "两次输入的密码不一致。",
    incomplete: "表单内容不完整。请重新打开链接。",
    failed_title: "操作失败",
    failed: "服务器出现问题，详情见其日志。未作任何更改。",
};

impl Language {
    /// The language that a browser likes best among those the pages speak.
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let wanted = headers.get(ACCEPT_LANGUAGE);
        let wanted = wanted
            .and_then(|wanted| wanted.to_str().ok())
            .unwrap_or_default();
        let mut best = (0, Self::English);
        for range in wanted.split(',') {
            let (tag, weight) = range.split_once(';').unwrap_or((range, ""));
            let language = match tag.trim().split('-').next() {
                Some(tag) if tag.eq_ignore_ascii_case("en") => Self::English,
                Some(tag) if tag.eq_ignore_ascii_case("zh") => Self::SimplifiedChinese,
                _ => continue,
            };
            let weight = thousandths(weight);
            // The first of equals is preferred.
            if weight > best.0 {
                best = (weight, language);
            }
        }
        best.1
    }

    /// The value of the attribute `lang`.
    pub(crate) const fn tag(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::SimplifiedChinese => "zh-Hans",
        }
    }

    /// Its texts.
    pub(crate) const fn texts(self) -> &'static Texts {
        match self {
            Self::English => &ENGLISH,
            Self::SimplifiedChinese => &SIMPLIFIED_CHINESE,
        }
    }
}

/// The weight `q=0.8` in thousandths; without one it is 1.
fn thousandths(weight: &str) -> u16 {
    let Some(weight) = weight.trim().strip_prefix("q=") else {
        return 1_000;
    };
    let weight: f32 = weight.parse().unwrap_or(0.0);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the weight is between 0 and 1 here"
    )]
    let thousandths = (weight.clamp(0.0, 1.0) * 1_000.0) as u16;
    thousandths
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_language_is_the_one_the_browser_likes_best() {
        for (wanted, language) in [
            ("", Language::English),
            ("de, fr;q=0.9", Language::English),
            ("zh-CN,zh;q=0.9,en;q=0.8", Language::SimplifiedChinese),
            ("en-GB,en;q=0.9,zh;q=0.8", Language::English),
            ("de,zh;q=0.5,en;q=0.7", Language::English),
            ("de,zh-Hans;q=0.5", Language::SimplifiedChinese),
            ("zh;q=0", Language::English),
            ("zh;q=x,en;q=0.1", Language::English),
            (";;,,zh;q=NaN", Language::English),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(ACCEPT_LANGUAGE, wanted.parse().unwrap());
            assert_eq!(Language::of(&headers), language, "{wanted}");
        }
    }
}

//! The texts of the pages, in each language.

use http::{HeaderMap, header::ACCEPT_LANGUAGE};
use model::language::Language;
use serde::Serialize;

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
    pub(crate) mail_link_unknown: &'static str,
    pub(crate) confirm_title: &'static str,
    pub(crate) confirm_add: &'static str,
    pub(crate) confirm_register: &'static str,
    pub(crate) confirm_reset: &'static str,
    pub(crate) confirm_not_asked: &'static str,
    pub(crate) confirm_button: &'static str,
    pub(crate) confirmed_title: &'static str,
    pub(crate) confirmed: &'static str,
    pub(crate) go_on: &'static str,
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
    mail_link_unknown: "It is incomplete, it has served its purpose, or an hour has passed since it was sent. Ask for another mail where you asked for this one.",
    confirm_title: "Confirm your email address",
    confirm_add: "Somebody wants to add the address at which you got this link to an account on",
    confirm_register: "Somebody wants to make an account with the address at which you got this link on",
    confirm_reset: "Somebody wants to choose a new password for your account on",
    confirm_not_asked: "If that was not you, close this page: nothing happens without you.",
    confirm_button: "That was me",
    confirmed_title: "Your address is confirmed",
    confirmed: "Go back to where you came from, and go on there. You can close this page.",
    go_on: "Go on to",
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
    mail_link_unknown: "链接不完整、已经使用过，或者发出已超过一小时。请在原来的地方重新申请一封邮件。",
    confirm_title: "确认您的邮箱地址",
    confirm_add: "有人想把收到此链接的邮箱地址添加到以下服务器上的账户：",
    confirm_register: "有人想用收到此链接的邮箱地址在以下服务器上注册账户：",
    confirm_reset: "有人想为您在以下服务器上的账户设置新密码：",
    confirm_not_asked: "如果不是您本人，请关闭此页面：没有您的确认，什么都不会发生。",
    confirm_button: "是我本人",
    confirmed_title: "邮箱地址已确认",
    confirmed: "请回到原来的地方继续操作。您可以关闭此页面。",
    go_on: "继续前往",
};

/// The language that a browser likes best among those the pages speak.
pub(crate) fn language_of(headers: &HeaderMap) -> Language {
    let wanted = headers.get(ACCEPT_LANGUAGE);
    let wanted = wanted.and_then(|wanted| wanted.to_str().ok());
    Language::preferred(wanted.unwrap_or_default())
}

/// The texts in a language.
pub(crate) const fn texts_in(language: Language) -> &'static Texts {
    match language {
        Language::English => &ENGLISH,
        Language::SimplifiedChinese => &SIMPLIFIED_CHINESE,
    }
}

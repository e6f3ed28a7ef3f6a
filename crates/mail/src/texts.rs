//! The texts of mail, in each language. `{server}`, `{user}` and others stand for whom and what it is
//! about.

use model::language::Language;

/// What one kind of letter says.
pub(crate) struct LetterTexts {
    pub(crate) title: &'static str,
    pub(crate) paragraphs: &'static [&'static str],
    /// What is written on the link, where there is one.
    pub(crate) button: &'static str,
}

/// What a mail about what its reader has not read says. `{place}` and `{by}` stand for names that
/// somebody chose.
pub(crate) struct DigestTexts {
    pub(crate) title: &'static str,
    pub(crate) intro: &'static str,
    pub(crate) one_unread: &'static str,
    pub(crate) unread: &'static str,
    pub(crate) invited: &'static str,
    /// How a room without a name is called, by somebody in it.
    pub(crate) with: &'static str,
    pub(crate) nameless: &'static str,
    pub(crate) one_more: &'static str,
    pub(crate) more: &'static str,
    pub(crate) unsaid: &'static str,
    pub(crate) why: &'static str,
    /// What is written on the link that ends these mails.
    pub(crate) stop: &'static str,
}

/// The texts of one language.
pub(crate) struct Texts {
    pub(crate) add_address: LetterTexts,
    pub(crate) register: LetterTexts,
    pub(crate) reset_password: LetterTexts,
    pub(crate) address_in_use: LetterTexts,
    pub(crate) password_changed: LetterTexts,
    pub(crate) room_invite: LetterTexts,
    pub(crate) invitation: LetterTexts,
    /// A room that has a name.
    pub(crate) room: &'static str,
    /// A room that has none.
    pub(crate) some_room: &'static str,
    /// How long an invitation is good.
    pub(crate) until: &'static str,
    pub(crate) digest: DigestTexts,
    /// How long a link is good.
    pub(crate) hour: &'static str,
    /// What stands before the link where the button does nothing.
    pub(crate) instead: &'static str,
    pub(crate) footer: &'static str,
}

const ENGLISH: Texts = Texts {
    add_address: LetterTexts {
        title: "Confirm your email address for {server}",
        paragraphs: &[
            "Somebody wants to add this email address to an account on {server}.",
            "If that was you, open the link and confirm it. If not, do nothing: the address is not added.",
        ],
        button: "Confirm the address",
    },
    register: LetterTexts {
        title: "Confirm your email address for {server}",
        paragraphs: &[
            "Somebody wants to make an account on {server} with this email address.",
            "If that was you, open the link and confirm it. If not, do nothing: no account is made with this address.",
        ],
        button: "Confirm the address",
    },
    reset_password: LetterTexts {
        title: "Choose a new password on {server}",
        paragraphs: &[
            "Somebody wants to choose a new password for your account {user}.",
            "If that was you, open the link, confirm it, and go back to where you asked for a new password. If not, do nothing: your password stays as it is.",
        ],
        button: "Confirm that it was me",
    },
    address_in_use: LetterTexts {
        title: "You have an account on {server}",
        paragraphs: &[
            "Somebody wants to use this email address for an account on {server}, but it belongs to the account {user} already.",
            "If that was you, sign in to that account, or ask there for a new password. If not, do nothing: your account stays as it is.",
        ],
        button: "",
    },
    password_changed: LetterTexts {
        title: "Your password on {server} was changed",
        paragraphs: &[
            "The password of your account {user} was changed.",
            "If that was not you, ask for a new password at once, and tell the people who run {server}.",
        ],
        button: "",
    },
    room_invite: LetterTexts {
        title: "You are invited to a room on {server}",
        paragraphs: &[
            "{inviter} invites you to {room} on {server}.",
            "If you have an account on {server}, add this email address to it in the settings of your app: the invitation is there then. If you have none, make one with this address, if {server} lets people do so, or ask who invites you how you get one. The address of the server is {url}.",
            "The invitation is good for 30 days. If you do not know who invites you, do nothing.",
        ],
        button: "",
    },
    invitation: LetterTexts {
        title: "You are invited to {server}",
        paragraphs: &[
            "You are invited to make an account on {server}.",
            "Open a Matrix app, such as Element, and make an account on the server {url}. When you are asked for a registration token, enter:",
            "{token}",
            "{until}If you did not expect this mail, do nothing.",
        ],
        button: "",
    },
    room: "the room {room}",
    some_room: "a room",
    until: "It can be used once, until {date}. ",
    digest: DigestTexts {
        title: "Unread messages on {server}",
        intro: "This waits for your account {user} on {server}:",
        one_unread: "{place}: 1 unread message",
        unread: "{place}: {count} unread messages",
        invited: "{by} invites you to {place}",
        with: "Conversation with {name}",
        nameless: "A room without a name",
        one_more: "And 1 more room",
        more: "And {count} more rooms",
        unsaid: "What was said is not in this mail, because mail is not encrypted. Open your app to read it.",
        why: "You get this mail because your account asks for mail about what you have not read.",
        stop: "Stop these mails",
    },
    hour: "The link is good for an hour.",
    instead: "If the button does nothing, copy this address into your browser:",
    footer: "This mail was sent by {server}. Nobody reads answers to it.",
};

const SIMPLIFIED_CHINESE: Texts = Texts {
    add_address: LetterTexts {
        title: "请确认您在 {server} 上的邮箱地址",
        paragraphs: &[
            "有人想把此邮箱地址添加到 {server} 上的账户。",
            "如果是您本人，请打开链接并确认。如果不是，请忽略此邮件：该地址不会被添加。",
        ],
        button: "确认邮箱地址",
    },
    register: LetterTexts {
        title: "请确认您在 {server} 上的邮箱地址",
        paragraphs: &[
            "有人想用此邮箱地址在 {server} 上注册账户。",
            "如果是您本人，请打开链接并确认。如果不是，请忽略此邮件：不会用此地址注册账户。",
        ],
        button: "确认邮箱地址",
    },
    reset_password: LetterTexts {
        title: "在 {server} 上设置新密码",
        paragraphs: &[
            "有人想为您的账户 {user} 设置新密码。",
            "如果是您本人，请打开链接并确认，然后回到您申请新密码的地方继续操作。如果不是，请忽略此邮件：您的密码保持不变。",
        ],
        button: "确认是我本人",
    },
    address_in_use: LetterTexts {
        title: "您在 {server} 上已有账户",
        paragraphs: &[
            "有人想在 {server} 上使用此邮箱地址，但它已属于账户 {user}。",
            "如果是您本人，请登录该账户，或在那里申请新密码。如果不是，请忽略此邮件：您的账户保持不变。",
        ],
        button: "",
    },
    password_changed: LetterTexts {
        title: "您在 {server} 上的密码已更改",
        paragraphs: &[
            "您的账户 {user} 的密码已更改。",
            "如果不是您本人操作，请立即申请新密码，并告知 {server} 的管理员。",
        ],
        button: "",
    },
    room_invite: LetterTexts {
        title: "邀请您加入 {server} 上的聊天室",
        paragraphs: &[
            "{inviter} 邀请您加入 {server} 上的{room}。",
            "如果您在 {server} 上已有账户，请在客户端的设置中将此邮箱地址添加到该账户，随后即可看到邀请。如果没有账户，请用此地址注册（若 {server} 允许），或向邀请人询问如何获得账户。服务器地址：{url}",
            "邀请三十天内有效。如果您不认识邀请人，请忽略此邮件。",
        ],
        button: "",
    },
    invitation: LetterTexts {
        title: "邀请您加入 {server}",
        paragraphs: &[
            "邀请您在 {server} 上注册账户。",
            "请打开任意 Matrix 客户端（例如 Element），在服务器 {url} 上注册账户。当要求填写注册令牌时，请输入：",
            "{token}",
            "{until}如果您并未预期收到此邮件，请忽略。",
        ],
        button: "",
    },
    room: "聊天室{room}",
    some_room: "一个聊天室",
    until: "令牌只能使用一次，有效期至 {date}。",
    digest: DigestTexts {
        title: "{server} 上有未读消息",
        intro: "您在 {server} 上的账户 {user} 有以下内容待查看：",
        one_unread: "{place}：1 条未读消息",
        unread: "{place}：{count} 条未读消息",
        invited: "{by}邀请您加入{place}",
        with: "与{name}的对话",
        nameless: "未命名的聊天室",
        one_more: "以及另外 1 个聊天室",
        more: "以及另外 {count} 个聊天室",
        unsaid: "邮件未加密，因此此邮件不包含消息内容。请打开您的客户端查看。",
        why: "您收到此邮件，是因为您的账户要求以邮件提醒未读内容。",
        stop: "停止发送此类邮件",
    },
    hour: "链接一小时内有效。",
    instead: "如果按钮无效，请将以下地址复制到浏览器中：",
    footer: "此邮件由 {server} 发送，请勿回复。",
};

/// The texts in a language.
pub(crate) const fn texts_in(language: Language) -> &'static Texts {
    match language {
        Language::English => &ENGLISH,
        Language::SimplifiedChinese => &SIMPLIFIED_CHINESE,
    }
}

//! The pages as a browser meets them, on both engines.

#[cfg(test)]
mod suite {
    use std::{net::IpAddr, sync::Arc};

    use accounts::{
        AccountChanges, Accounts, RegistrationMode, Settings,
        emails::{EmailChanges, EmailPurpose, EmailRequest, MailKind},
    };
    use audit::AuditTrail;
    use axum::{Router, body::Body};
    use http::{Request, StatusCode, header};
    use http_body_util::BodyExt;
    use model::{language::Language, mail_address::MailAddress, time::Clock};
    use oauth::Pages;
    use pushers::{PusherChanges, Pushers};
    use ruma::{api::client::push, device_id, owned_server_name};
    use seal::{KeySource, Keyring, MasterKey};
    use store::{Database, DatabaseOptions, Location, LogBuilder, Pos};
    use tempfile::TempDir;
    use testkit::{clock::FakeClock, entropy::SeededEntropy};
    use tower::ServiceExt;

    struct Site {
        router: Router,
        accounts: Accounts,
        pushers: Pushers,
        database: Database,
    }

    async fn site(location: Location, directory: &TempDir, seed: u64) -> Site {
        let entropy = Arc::new(SeededEntropy::new(seed));
        let clock: Arc<dyn Clock> = Arc::new(FakeClock::default());
        let source = KeySource::File(directory.path().join("master.key"));
        let master = MasterKey::unlock(&source, &location, &*entropy).await;
        let options = DatabaseOptions {
            location,
            server_name: "example.org".to_owned(),
            migrations: vec![
                seal::MIGRATIONS,
                accounts::MIGRATIONS,
                pushers::MIGRATIONS,
                audit::MIGRATIONS,
            ],
            readers: 2,
        };
        let database = Database::open(options).await.unwrap();
        let clock_of_keys = Arc::clone(&clock);
        let keyring =
            Keyring::unlock(&database, master.unwrap(), entropy.clone(), clock_of_keys).await;
        let keyring = keyring.unwrap();
        let changes = AccountChanges::new(keyring.clone());
        let trail = AuditTrail::new(keyring.clone(), entropy.clone());
        let emails = EmailChanges::new(keyring.clone(), Arc::clone(&clock));
        let builder = LogBuilder::new(database, clock)
            .register(Arc::clone(&changes))
            .register(emails)
            .register(Arc::new(PusherChanges::new(keyring.clone())))
            .register(Arc::new(trail));
        let log = builder.start().await.unwrap();
        let settings = Settings {
            server_name: owned_server_name!("example.org"),
            registration: RegistrationMode::Closed,
            shared_secret: None,
            access_token_lifetime: std::time::Duration::from_secs(300),
            limit_guesses: true,
            mail: true,
            reserved_name: "notices".to_owned(),
            policies: Vec::new(),
            guests: false,
            on_guest: |_, _, _| {},
            appservices: Default::default(),
        };
        let database = log.database().clone();
        let pushers = Pushers::new(log.clone(), keyring.clone());
        let accounts = Accounts::new(log, changes, keyring, entropy, settings);
        let address = Arc::new(|peer: Option<IpAddr>, _: &http::HeaderMap| {
            peer.unwrap_or(IpAddr::from([192, 0, 2, 1]))
        });
        let url = "http://localhost:8008";
        let pages = Pages::new(accounts.clone(), pushers.clone(), url, address);
        Site {
            router: oauth::router(pages),
            accounts,
            pushers,
            database,
        }
    }

    impl Site {
        async fn ask(&self, request: Request<Body>) -> (StatusCode, http::HeaderMap, String) {
            let response = self.router.clone().oneshot(request).await.unwrap();
            let (parts, body) = response.into_parts();
            let bytes = body.collect().await.unwrap().to_bytes();
            let text = String::from_utf8(bytes.to_vec()).unwrap();
            (parts.status, parts.headers, text)
        }

        async fn get(&self, token: &str, language: &str) -> (StatusCode, http::HeaderMap, String) {
            let request = Request::get(format!("/_conclave/setup?token={token}"))
                .header(header::ACCEPT_LANGUAGE, language)
                .body(Body::empty());
            self.ask(request.unwrap()).await
        }

        async fn post(&self, form: String) -> (StatusCode, http::HeaderMap, String) {
            let request = Request::post("/_conclave/setup")
                .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
                .body(Body::from(form));
            self.ask(request.unwrap()).await
        }
    }

    fn form(token: &str, name: &str, password: &str, repeated: &str) -> String {
        format!("token={token}&username={name}&password={password}&repeated={repeated}")
    }

    const GOOD: &str = "correct+horse";

    async fn the_page_makes_one_administrator_and_is_gone(site: Site) {
        let token = site.accounts.make_setup_link().await.unwrap().unwrap();
        let (status, headers, page) = site.get(&token, "en").await;
        assert_eq!(status, 200);
        let policy = headers[header::CONTENT_SECURITY_POLICY].to_str().unwrap();
        assert!(policy.starts_with("default-src 'none'"));
        assert!(!page.contains("<script") && !page.contains("style="));
        assert!(page.contains("example.org") && page.contains(r#"lang="en""#));
        for field in ["username", "password", "repeated"] {
            assert!(
                page.contains(&format!(r#"<label for="{field}">"#)),
                "{field}"
            );
        }
        let (_, _, chinese) = site.get(&token, "zh-CN,zh;q=0.9").await;
        assert!(chinese.contains(r#"lang="zh-Hans""#) && chinese.contains("创建第一位管理员"));

        let (status, _, page) = site.post(form(&token, "+Root", GOOD, GOOD)).await;
        assert_eq!(status, 200, "{page}");
        assert!(page.contains("@root:example.org") && page.contains("localhost:8008"));
        let root = ruma::user_id!("@root:example.org");
        assert!(site.accounts.account(root).await.unwrap().unwrap().admin);
        let (status, _, page) = site.get(&token, "en").await;
        assert_eq!(status, 410);
        assert!(page.contains("This server has an administrator"));
        let (status, _, _) = site.post(form(&token, "eve", GOOD, GOOD)).await;
        assert_eq!(status, 410);
        let eve = ruma::user_id!("@eve:example.org");
        assert!(site.accounts.account(eve).await.unwrap().is_none());
    }

    async fn what_is_wrong_is_said_beside_the_form(site: Site) {
        let token = site.accounts.make_setup_link().await.unwrap().unwrap();
        for (name, password, repeated, sentence) in [
            ("a+b", GOOD, GOOD, "cannot be a user name"),
            ("", GOOD, GOOD, "cannot be a user name"),
            ("root", "short", "short", "must have 8 characters"),
            ("root", GOOD, "another+horse", "are not the same"),
            ("%3Cscript%3E", GOOD, GOOD, "cannot be a user name"),
        ] {
            let (status, _, page) = site.post(form(&token, name, password, repeated)).await;
            assert_eq!(status, 422, "{name}");
            assert!(page.contains(sentence), "{name}: {page}");
            assert!(page.contains(r#"role="alert""#) && page.contains(r#"aria-invalid="true""#));
            assert!(!page.contains("<script") && !page.contains("correct horse"));
        }
        for bad in ["", "token=x", "%"] {
            let (status, _, _) = site.post(bad.to_owned()).await;
            assert_eq!(status, 400, "{bad}");
        }
        let (status, _, _) = site
            .post(form(&token, &"x".repeat(20_000), GOOD, GOOD))
            .await;
        assert_eq!(status, 400);
        assert!(site.accounts.make_setup_link().await.unwrap().is_some());
    }

    async fn a_link_that_never_was_is_not_found(site: Site) {
        for token in ["", "cnv_s_no", "%00", "%ff"] {
            let (status, _, page) = site.get(token, "en").await;
            assert_eq!(status, 404, "{token}");
            assert!(page.contains("it prints a new link"));
        }
        let (status, _, _) = site.post(form("cnv_s_no", "root", GOOD, GOOD)).await;
        assert_eq!(status, 404);
    }

    impl Site {
        /// Asks for a mail, and gives the secret of its link.
        async fn mail(&self, purpose: EmailPurpose, next_link: Option<&str>) -> String {
            let request = EmailRequest {
                purpose,
                address: MailAddress::parse("ann@example.org").unwrap(),
                client_secret: "secret",
                send_attempt: 1,
                next_link: next_link.map(str::to_owned),
                language: Language::English,
            };
            self.accounts.request_email(request).await.unwrap();
            let written = self.accounts.mails_written(Pos::START, Pos::new(i64::MAX));
            let (reader, pos) = written.await.unwrap().pop().unwrap();
            let mail = self.accounts.mail_for(&reader, pos).await.unwrap().unwrap();
            match mail.kind {
                MailKind::AddAddress(token) | MailKind::Register(token) => String::clone(&token),
                other => panic!("{other:?}"),
            }
        }

        async fn open_mail(
            &self,
            token: &str,
            language: &str,
        ) -> (StatusCode, http::HeaderMap, String) {
            let request = Request::get(format!("/_conclave/mail?token={token}"))
                .header(header::ACCEPT_LANGUAGE, language)
                .body(Body::empty());
            self.ask(request.unwrap()).await
        }

        async fn confirm_mail(&self, form: String) -> (StatusCode, http::HeaderMap, String) {
            let request = Request::post("/_conclave/mail")
                .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
                .body(Body::from(form));
            self.ask(request.unwrap()).await
        }
    }

    async fn a_link_in_a_mail_asks_before_it_confirms(site: Site) {
        let next = "https://app.example.com/?a=1&b=%22%3E%3Cscript%3E";
        let token = site.mail(EmailPurpose::Register, Some(next)).await;
        // Whoever looks at it, however often, has confirmed nothing, and is led nowhere.
        for _ in 0..2 {
            let (status, headers, page) = site.open_mail(&token, "en").await;
            assert_eq!(status, 200);
            let policy = headers[header::CONTENT_SECURITY_POLICY].to_str().unwrap();
            assert!(policy.contains("frame-ancestors 'none'"));
            assert_eq!(headers[header::REFERRER_POLICY], "no-referrer");
            assert_eq!(headers[header::CACHE_CONTROL], "no-store");
            assert!(page.contains(r#"<form method="post" action="/_conclave/mail">"#));
            assert!(page.contains("make an account") && page.contains("example.org"));
            assert!(!page.contains("<script") && !page.contains("app.example.com"));
        }
        let (_, _, chinese) = site.open_mail(&token, "zh-CN").await;
        assert!(chinese.contains(r#"lang="zh-Hans""#) && chinese.contains("是我本人"));
        // A button that is pressed twice is pressed once.
        for _ in 0..2 {
            let (status, headers, page) = site.confirm_mail(format!("token={token}")).await;
            assert_eq!(status, 200);
            assert!(!headers.contains_key(header::LOCATION));
            assert!(page.contains("Your address is confirmed"), "{page}");
            assert!(page.contains("app.example.com"), "{page}");
            assert!(!page.contains("<script"), "{page}");
        }
    }

    async fn a_page_without_a_way_on_says_to_go_back(site: Site) {
        let token = site.mail(EmailPurpose::AddAddress, None).await;
        let (_, _, page) = site.open_mail(&token, "en").await;
        assert!(page.contains("add the address"), "{page}");
        let (status, _, page) = site.confirm_mail(format!("token={token}")).await;
        assert_eq!(status, 200);
        assert!(!page.contains("<a "), "{page}");
    }

    async fn a_link_of_no_mail_is_not_found(site: Site) {
        for token in ["", "cnv_m_no", "%00", "%ff", "%3Cscript%3E"] {
            let (status, _, page) = site.open_mail(token, "en").await;
            assert_eq!(status, 404, "{token}");
            assert!(page.contains("Ask for another mail") && !page.contains("<script"));
        }
        let (status, _, _) = site.confirm_mail("token=cnv_m_no".to_owned()).await;
        assert_eq!(status, 404);
        for bad in ["", "tokem=x", "%"] {
            let (status, _, _) = site.confirm_mail(bad.to_owned()).await;
            assert_eq!(status, 400, "{bad}");
        }
        let long = format!("token={}", "x".repeat(20_000));
        assert_eq!(site.confirm_mail(long).await.0, 400);
    }

    impl Site {
        /// Makes a pusher of somebody, and gives its number.
        async fn pusher(&self, user: i64, kind: push::PusherKind) -> i64 {
            let pusher: push::Pusher = push::PusherInit {
                ids: push::PusherIds::new("ann@example.org".to_owned(), "m.email".to_owned()),
                kind,
                app_display_name: "Mail".to_owned(),
                device_display_name: "Mail".to_owned(),
                profile_tag: None,
                lang: "en".to_owned(),
            }
            .into();
            let session = (user, device_id!("PHONE"), 1);
            self.pushers.set(session, &pusher, true).await.unwrap();
            self.of(user).await[0]
        }

        /// The pushers of somebody.
        async fn of(&self, user: i64) -> Vec<i64> {
            let snapshot = self.database.snapshot().await.unwrap();
            let pushers = self.pushers.of_user(&snapshot, user).await.unwrap();
            pushers.into_iter().map(|pusher| pusher.id).collect()
        }

        async fn stop_mail(
            &self,
            method: &str,
            token: &str,
            body: &'static str,
        ) -> (StatusCode, http::HeaderMap, String) {
            let request = Request::builder()
                .method(method)
                .uri(format!("/_conclave/mail/stop?token={token}"))
                .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
                .body(Body::from(body));
            self.ask(request.unwrap()).await
        }
    }

    async fn mails_are_stopped_by_a_button_or_by_one_request(site: Site) {
        for body in ["", "List-Unsubscribe=One-Click"] {
            let mails = push::PusherKind::Email(push::EmailPusherData::new());
            let id = site.pusher(1, mails).await;
            let token = site.pushers.stop_token(id);
            // Whoever looks at it, however often, has stopped nothing.
            for _ in 0..2 {
                let (status, headers, page) = site.stop_mail("GET", &token, "").await;
                assert_eq!(status, 200);
                assert_eq!(headers[header::REFERRER_POLICY], "no-referrer");
                let action = format!(r#"action="/_conclave/mail/stop?token={token}""#);
                assert!(page.contains(&action), "{page}");
                assert!(page.contains("example.org") && !page.contains("<script"));
            }
            assert_eq!(site.of(1).await, [id]);
            // Pressed twice it is pressed once.
            for _ in 0..2 {
                let (status, _, page) = site.stop_mail("POST", &token, body).await;
                assert_eq!(status, 200);
                assert!(page.contains("The mails are stopped"), "{page}");
                assert!(site.of(1).await.is_empty());
            }
            let (status, _, page) = site.stop_mail("GET", &token, "").await;
            assert_eq!(status, 200);
            assert!(page.contains("The mails are stopped"), "{page}");
        }
    }

    async fn a_link_that_stops_nothing_is_not_found(site: Site) {
        let mails = push::PusherKind::Email(push::EmailPusherData::new());
        let (first, second) = (
            site.pusher(1, mails.clone()).await,
            site.pusher(2, mails).await,
        );
        let token = site.pushers.stop_token(first);
        let secret = token.strip_prefix(&format!("cnv_n_{first}_")).unwrap();
        for wrong in [
            String::new(),
            "x".repeat(300),
            format!("cnv_n_{first}"),
            format!("cnv_n_{second}_{secret}"),
            format!("cnv_n_+{first}_{secret}"),
            format!("cnv_n_{first}_{secret}A"),
            "%3Cscript%3E".to_owned(),
            "%ff".to_owned(),
        ] {
            for method in ["GET", "POST"] {
                let (status, _, page) = site.stop_mail(method, &wrong, "").await;
                assert_eq!(status, 404, "{wrong}");
                assert!(!page.contains("<script"), "{page}");
            }
        }
        assert_eq!(
            (site.of(1).await, site.of(2).await),
            (vec![first], vec![second])
        );
        // Whoever has a gateway told is not reached by mail.
        let url = "https://push.example.org/_matrix/push/v1/notify".to_owned();
        let gateway = push::PusherKind::Http(ruma::push::HttpPusherData::new(url));
        let other = site.pusher(3, gateway).await;
        let token = site.pushers.stop_token(other);
        site.stop_mail("POST", &token, "").await;
        assert_eq!(site.of(3).await, [other]);
    }

    macro_rules! on_both_engines {
        ($($test:ident),* $(,)?) => {
            mod sqlite {
                use super::{Location, site};
                $(#[tokio::test]
                async fn $test() {
                    let directory = tempfile::tempdir().unwrap();
                    let location = Location::Sqlite(directory.path().join("conclave.db"));
                    super::$test(site(location, &directory, 1).await).await;
                })*
            }
            mod postgres {
                use super::{Location, site};
                $(#[tokio::test]
                async fn $test() {
                    let database = testkit::postgres::database().await;
                    let directory = tempfile::tempdir().unwrap();
                    let location = Location::Postgres(database.url.clone());
                    super::$test(site(location, &directory, 1).await).await;
                })*
            }
        };
    }

    on_both_engines! {
        the_page_makes_one_administrator_and_is_gone,
        what_is_wrong_is_said_beside_the_form,
        a_link_that_never_was_is_not_found,
        a_link_in_a_mail_asks_before_it_confirms,
        a_page_without_a_way_on_says_to_go_back,
        a_link_of_no_mail_is_not_found,
        mails_are_stopped_by_a_button_or_by_one_request,
        a_link_that_stops_nothing_is_not_found,
    }

    #[tokio::test]
    async fn two_nodes_that_use_the_link_at_once_make_one_administrator() {
        let database = testkit::postgres::database().await;
        let directory = tempfile::tempdir().unwrap();
        let location = || Location::Postgres(database.url.clone());
        let one = site(location(), &directory, 1).await;
        let other = site(location(), &directory, 2).await;
        let token = one.accounts.make_setup_link().await.unwrap().unwrap();
        let (first, second) = tokio::join!(
            one.post(form(&token, "one", GOOD, GOOD)),
            other.post(form(&token, "other", GOOD, GOOD))
        );
        let mut statuses = [first.0.as_u16(), second.0.as_u16()];
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 410]);
        assert_eq!(one.accounts.list(0, 10).await.unwrap().len(), 1);
    }
}

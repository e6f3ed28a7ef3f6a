-- Whose an account is: 0 a person's, 1 a guest's, 2 the server's own, which sends notices.
ALTER TABLE accounts ADD COLUMN kind BIGINT NOT NULL DEFAULT 0;

-- An earlier version takes every token for that of the file.
DELETE FROM tokens WHERE kind <> 'admin';
DROP INDEX tokens_of_users;
ALTER TABLE tokens DROP COLUMN created_by;
ALTER TABLE tokens DROP COLUMN grants;
ALTER TABLE tokens DROP COLUMN user_name;
ALTER TABLE tokens DROP COLUMN kind;
DROP TABLE grants;
DROP TABLE users;

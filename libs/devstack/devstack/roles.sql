-- One service's database and its three roles, for psql connected as a superuser. Safe to run again.
-- Reads SERVICE, DATABASE (the service's name unless told otherwise), OWNER_PASSWORD and APP_PASSWORD from the environment.
\set QUIET on
\getenv service SERVICE
\getenv database DATABASE
\getenv owner_password OWNER_PASSWORD
\getenv app_password APP_PASSWORD
SELECT :'service' || '_owner' AS owner, :'service' || '_app' AS app, :'service' || '_platform' AS platform \gset

-- The owner migrates; the app role serves and owns nothing, so row-level security binds it;
-- the platform role is entered by name (SET ROLE) for the counted work across tenants.
SELECT format('CREATE ROLE %I', role)
FROM unnest(ARRAY[:'owner', :'app', :'platform']) AS role
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = role) \gexec
ALTER ROLE :"owner" LOGIN NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE PASSWORD :'owner_password';
ALTER ROLE :"app" LOGIN NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE PASSWORD :'app_password';
ALTER ROLE :"platform" NOLOGIN NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE;
GRANT :"platform" TO :"app" WITH INHERIT FALSE, SET TRUE;

SELECT format('CREATE DATABASE %I OWNER %I', :'database', :'owner')
WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = :'database') \gexec
ALTER DATABASE :"database" OWNER TO :"owner";
REVOKE CONNECT, TEMPORARY ON DATABASE :"database" FROM PUBLIC;
GRANT CONNECT ON DATABASE :"database" TO :"owner", :"app";

\connect :"database"
CREATE EXTENSION IF NOT EXISTS btree_gist;
ALTER SCHEMA public OWNER TO :"owner";
REVOKE CREATE ON SCHEMA public FROM PUBLIC;
GRANT USAGE ON SCHEMA public TO :"app", :"platform";
ALTER DEFAULT PRIVILEGES FOR ROLE :"owner" IN SCHEMA public
    GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO :"app", :"platform";
ALTER DEFAULT PRIVILEGES FOR ROLE :"owner" IN SCHEMA public
    GRANT USAGE, SELECT ON SEQUENCES TO :"app", :"platform";
ALTER DEFAULT PRIVILEGES FOR ROLE :"owner" IN SCHEMA public
    GRANT EXECUTE ON FUNCTIONS TO :"app", :"platform";

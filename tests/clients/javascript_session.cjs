// A scenario with the unmodified clients in JavaScript: the SDK, @databricks/lakebase and node-postgres. It prints one object of
// what it saw. Environment: that of `lakebase-workspace env`; arguments: the client id and secret of the service principal.
"use strict";
const { readFileSync } = require("node:fs");
const { WorkspaceClient, ApiError } = require("@databricks/sdk-experimental");
const { createLakebasePool, getUsernameWithApiLookup } = require("@databricks/lakebase");
const pg = require("pg");

const host = process.env.DATABRICKS_HOST;
const [clientId, clientSecret] = process.argv.slice(2);
const seen = {};

async function refusal(work) {
    try {
        await work();
    } catch (error) {
        if (!(error instanceof ApiError)) throw error;
        return [error.statusCode, error.errorCode];
    }
    return null;
}

async function all(items) {
    const found = [];
    for await (const item of items) found.push(item);
    return found;
}

async function until(w, name, state) {
    for (;;) {
        const instance = await w.database.getDatabaseInstance({ name });
        if (instance.state === state) return instance;
    }
}

// This SDK leaves the body of a PATCH away (its api-client.js): the call by hand, with its authentication.
async function update(w, name, mask, fields) {
    const headers = new Headers({ "Content-Type": "application/json" });
    await w.config.authenticate(headers);
    const answer = await fetch(`${host}/api/2.0/database/instances/${name}?update_mask=${mask}`,
        { method: "PATCH", headers, body: JSON.stringify({ name, ...fields }) });
    if (!answer.ok) throw new Error(await answer.text());
}

async function instances(w) {
    const waiter = await w.database.createDatabaseInstance({ database_instance: { name: "shop", capacity: "CU_1" } });
    const made = await waiter.wait();
    seen.made = [made.name, made.state, made.effective_capacity];
    seen.found = (await w.database.findDatabaseInstanceByUid({ uid: made.uid })).name;
    await (await w.database.createDatabaseInstance({ database_instance: { name: "second", capacity: "CU_1" } })).wait();
    seen.pages = (await all(w.database.listDatabaseInstances({ page_size: 1 }))).map((i) => i.name);
    seen.patch = await refusal(() => w.database.updateDatabaseInstance({ name: "second", update_mask: "stopped", database_instance: { stopped: true } }));
    await update(w, "second", "stopped", { stopped: true });
    seen.stopped = (await until(w, "second", "STOPPED")).effective_stopped;
    await update(w, "second", "capacity,stopped", { capacity: "CU_2", stopped: false });
    seen.resized = (await until(w, "second", "AVAILABLE")).effective_capacity;
    await w.database.deleteDatabaseInstance({ name: "second", purge: true });
    seen.twice = await refusal(() => w.database.createDatabaseInstance({ database_instance: { name: "shop" } }));
    seen.missing = await refusal(() => w.database.getDatabaseInstance({ name: "none" }));
    seen.badCapacity = await refusal(() => w.database.createDatabaseInstance({ database_instance: { name: "bad", capacity: "CU_3" } }));
    return made;
}

async function rolesAndCatalogs(w) {
    await w.database.createDatabaseInstanceRole({ instance_name: "shop", database_instance_role: { name: clientId, identity_type: "SERVICE_PRINCIPAL" } });
    seen.role = (await w.database.getDatabaseInstanceRole({ instance_name: "shop", name: clientId })).identity_type;
    seen.roles = (await all(w.database.listDatabaseInstanceRoles({ instance_name: "shop" }))).length;
    await w.database.createDatabaseCatalog({ catalog: { name: "shop_db", database_instance_name: "shop", database_name: "databricks_postgres" } });
    seen.catalog = (await w.database.getDatabaseCatalog({ name: "shop_db" })).database_instance_name;
    await w.database.deleteDatabaseCatalog({ name: "shop_db" });
}

// A pool that asks for a token by itself: twenty queries, five connections, the server verified by its certificate.
async function lakebasePool(instance) {
    const user = await getUsernameWithApiLookup();
    const pool = createLakebasePool({ host: instance.read_write_dns, database: "databricks_postgres", user, max: 5,
        endpoint: "projects/shop/branches/production/endpoints/primary" });
    const answers = await Promise.all(Array.from({ length: 20 }, (_, i) => pool.query("SELECT current_user AS who, $1::int AS n", [i])));
    seen.pool = [answers[0].rows[0].who, answers.reduce((sum, a) => sum + a.rows[0].n, 0), pool.totalCount <= 5];
    await pool.end();
}

// node-postgres with a function for its password: here the service principal's, whose OAuth token is a login too.
async function nodePostgres(instance) {
    const app = new WorkspaceClient({ host, clientId, clientSecret, authType: "oauth-m2m" });
    let asked = 0;
    const pool = new pg.Pool({ host: instance.read_write_dns, database: "databricks_postgres", user: clientId, max: 2,
        ssl: { ca: readFileSync(process.env.PGSSLROOTCERT, "utf8") },
        password: async () => {
            asked++;
            const headers = new Headers();
            await app.config.authenticate(headers);
            return headers.get("Authorization").slice("Bearer ".length);
        } });
    const answer = await pool.query("SELECT current_user AS who, ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()");
    seen.servicePrincipal = [answer.rows[0].who === clientId, answer.rows[0].ssl, asked];
    await pool.end();
    const wrong = new pg.Client({ host: instance.read_write_dns, database: "databricks_postgres", user: "learner@example.com",
        ssl: { ca: readFileSync(process.env.PGSSLROOTCERT, "utf8") }, password: process.env.DATABRICKS_TOKEN });
    seen.personalToken = await wrong.connect().then(() => "let in", (error) => error.code);
    await wrong.end();
}

async function main() {
    const w = new WorkspaceClient({ host, token: process.env.DATABRICKS_TOKEN });
    seen.me = (await w.currentUser.me()).userName;
    const instance = await instances(w);
    await rolesAndCatalogs(w);
    await lakebasePool(instance);
    await nodePostgres(instance);
    await w.database.deleteDatabaseInstance({ name: "shop", purge: true });
    console.log(JSON.stringify(seen));
}

main().catch((error) => {
    console.error(error);
    process.exit(1);
});

/*
 * The contract: our client against our server, over HTTP, every route of routes.def at least once. What a handler puts
 * into a struct arrives in the client's struct; fields that nobody knows are ignored. Unity Catalog reads run against
 * a real PostgreSQL server.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "contract_calls.h"

/* ---- tests, in order: each builds on what is there ---- */

static void who_am_i(void **state)
{
    (void)state;
    struct scim_me me;
    call(DBX_me, NULL, NULL, &me);
    assert_string_equal(me.user_name, "learner@example.com");
    assert_int_equal(me.active, TRI_TRUE);
    assert_string_equal(((struct scim_email *)me.emails.items)[0].value, "learner@example.com");
    assert_non_null(strstr(*(char **)me.schemas.items, "core:2.0:User"));
    model_release(&model_scim_me, &me);
    call_as(app, DBX_me, NULL, NULL, &me);
    assert_string_equal(dbx_auth_type(app), "oauth-m2m");
    assert_string_equal(me.display_name, "lakebase-app");
    assert_int_equal(strlen(me.user_name), 36);
    model_release(&model_scim_me, &me);
}

static void create_and_read(void **state)
{
    (void)state;
    struct database_instance in = {.name = strdup("demo"), .capacity = strdup("CU_4"),
                                   .retention_window_in_days = {true, 14}, .stopped = TRI_FALSE}, out;
    struct custom_tag *tag = model_list_add(&model_custom_tag, &in.custom_tags);
    tag->key = strdup("team");
    tag->value = strdup("grün \"quoted\"");
    call(DBX_create_database_instance, NULL, &in, &out);
    assert_string_equal(out.name, "demo");
    assert_string_equal(out.state, "STARTING");
    assert_string_equal(((struct custom_tag *)out.custom_tags.items)[0].value, "grün \"quoted\"");
    assert_int_equal(out.stopped, TRI_ABSENT); /* input only */
    assert_false(out.retention_window_in_days.has);
    char *uid = strdup(out.uid);
    model_release(&model_database_instance, &out);
    await_state("demo", "AVAILABLE");
    call(DBX_get_database_instance, P({"name", "demo"}), NULL, &out);
    assert_string_equal(out.uid, uid);
    assert_string_equal(out.capacity, "CU_4");
    assert_string_equal(out.effective_capacity, "CU_4");
    assert_int_equal(out.effective_retention_window_in_days.value, 14);
    assert_int_equal(out.effective_node_count.value, 1);
    assert_int_equal(out.effective_stopped, TRI_FALSE);
    assert_int_equal(out.effective_enable_pg_native_login, TRI_FALSE);
    assert_int_equal(out.effective_enable_readable_secondaries, TRI_FALSE);
    assert_string_equal(out.pg_version, "PG_VERSION_15");
    assert_string_equal(out.read_write_dns, "127.77.0.1");
    assert_null(out.read_only_dns);
    assert_string_equal(out.creator, "learner@example.com");
    assert_int_equal(out.custom_tags.count, 0); /* repeated by create and update alone */
    assert_int_equal(out.effective_custom_tags.count, 1);
    model_release(&model_database_instance, &out);
    call(DBX_find_database_instance_by_uid, P({"uid", uid}), NULL, &out);
    assert_string_equal(out.name, "demo");
    model_release(&model_database_instance, &out);
    model_release(&model_database_instance, &in);
    free(uid);
}

static void pages_of_instances(void **state)
{
    (void)state;
    char token[256] = "", seen[64] = "";
    for (char c = 'a'; c <= 'c'; c++) {
        char name[2] = {c, '\0'};
        struct database_instance in = {.name = name};
        call(DBX_create_database_instance, NULL, &in, NULL);
    }
    for (int i = 0; i < 4; i++) {
        struct database_instance_list list;
        call(DBX_list_database_instances, P({"page_size", "1"}, {"page_token", *token ? token : NULL}), NULL, &list);
        assert_int_equal(list.database_instances.count, 1);
        size_t used = strlen(seen);
        snprintf(seen + used, sizeof seen - used, "%s",
                 ((struct database_instance *)list.database_instances.items)[0].name);
        assert_int_equal(list.next_page_token == NULL, i == 3);
        snprintf(token, sizeof token, "%s", list.next_page_token ? list.next_page_token : "");
        model_release(&model_database_instance_list, &list);
    }
    assert_string_equal(seen, "abcdemo");
    refused(DBX_list_database_instances, P({"page_token", "zz"}), NULL, ERR_INVALID_PARAMETER, 400,
            "Parameter 'page_token' is not a token of this list");
}

static void update_with_masks(void **state)
{
    (void)state;
    struct database_instance in = {.name = (char *)"demo", .capacity = (char *)"CU_1", .stopped = TRI_TRUE}, out;
    /* Not in the mask: left alone. */
    call(DBX_update_database_instance, P({"name", "demo"}, {"update_mask", "capacity"}), &in, &out);
    assert_string_equal(out.state, "UPDATING");
    assert_string_equal(out.capacity, "CU_1");
    assert_int_equal(out.effective_stopped, TRI_FALSE);
    model_release(&model_database_instance, &out);
    await_state("demo", "AVAILABLE");
    /* "*": what the body holds; the rest stays. */
    in.capacity = NULL;
    call(DBX_update_database_instance, P({"name", "demo"}, {"update_mask", "*"}), &in, &out);
    assert_string_equal(out.capacity, "CU_1");
    assert_int_equal(out.effective_stopped, TRI_TRUE);
    model_release(&model_database_instance, &out);
    await_state("demo", "STOPPED");
    /* In the mask and not in the body: the default. */
    in.stopped = TRI_ABSENT;
    call(DBX_update_database_instance, P({"name", "demo"}, {"update_mask", "stopped,capacity,retention_window_in_days"}),
         &in, &out);
    assert_string_equal(out.capacity, "CU_2");
    assert_int_equal(out.effective_retention_window_in_days.value, 7);
    model_release(&model_database_instance, &out);
    await_state("demo", "AVAILABLE");
    refused(DBX_update_database_instance, P({"name", "demo"}, {"update_mask", "size"}), &in, ERR_INVALID_PARAMETER, 400,
            "update_mask names 'size', which is not a field that can be updated");
    refused(DBX_update_database_instance, P({"name", "other"}, {"update_mask", "*"}), &in, ERR_INVALID_PARAMETER, 400,
            "The name in the body ('demo') is not the one in the path ('other')");
}

static void credentials(void **state)
{
    (void)state;
    char *names[] = {(char *)"demo", (char *)"a"};
    struct credential_request in = {.instance_names = {names, 2}};
    struct database_credential out;
    struct database_instance demo, b;
    struct err e = {0};
    call(DBX_generate_database_credential, NULL, &in, &out);
    call(DBX_get_database_instance, P({"name", "demo"}), NULL, &demo);
    call(DBX_get_database_instance, P({"name", "b"}), NULL, &b);
    /* As the responder asks at a login. */
    size_t len = strlen(out.token);
    assert_true(memory.login(memory.login_self, "learner@example.com", out.token, len, demo.uid, &e));
    assert_false(memory.login(memory.login_self, "learner@example.com", out.token, len, b.uid, &e));
    assert_string_equal(e.text, "the token is for other instances");
    model_release(&model_database_credential, &out);
    model_release(&model_database_instance, &demo);
    model_release(&model_database_instance, &b);
    names[1] = (char *)"none";
    refused(DBX_generate_database_credential, NULL, &in, ERR_NOT_FOUND, 404, "Database instance is not found.");
    in.instance_names.count = 0;
    refused(DBX_generate_database_credential, NULL, &in, ERR_INVALID_PARAMETER, 400,
            "At least one of instance_names and claims is required: name the instances that the token is for");
}

static void roles(void **state)
{
    (void)state;
    struct role_attributes attributes = {.createdb = TRI_TRUE};
    struct instance_role in = {.name = (char *)"ann@example.com", .identity_type = (char *)"USER", .attributes = &attributes}, out;
    struct instance_role_list list;
    call(DBX_create_database_instance_role, P({"instance", "demo"}), &in, &out);
    assert_string_equal(out.name, "ann@example.com");
    assert_string_equal(out.identity_type, "USER");
    assert_string_equal(out.instance_name, "demo");
    assert_null(out.membership_role);
    assert_int_equal(out.effective_attributes->createdb, TRI_TRUE);
    assert_int_equal(out.effective_attributes->bypassrls, TRI_FALSE);
    model_release(&model_instance_role, &out);
    refused(DBX_create_database_instance_role, P({"instance", "demo"}), &in, ERR_ALREADY_EXISTS, 409,
            "Role 'ann@example.com' of database instance 'demo': role \"ann@example.com\" already exists");
    in.identity_type = NULL;
    attributes = (struct role_attributes){.createdb = TRI_FALSE, .bypassrls = TRI_TRUE};
    call(DBX_update_database_instance_role, P({"instance", "demo"}, {"name", "ann@example.com"}), &in, &out);
    assert_int_equal(out.effective_attributes->createdb, TRI_FALSE);
    assert_int_equal(out.effective_attributes->bypassrls, TRI_TRUE);
    model_release(&model_instance_role, &out);
    call(DBX_get_database_instance_role, P({"instance", "demo"}, {"name", "ann@example.com"}), NULL, &out);
    assert_int_equal(out.attributes->bypassrls, TRI_TRUE);
    model_release(&model_instance_role, &out);
    call(DBX_list_database_instance_roles, P({"instance", "demo"}, {"page_size", "1"}), NULL, &list);
    assert_int_equal(list.database_instance_roles.count, 1);
    assert_non_null(list.next_page_token);
    model_release(&model_instance_role_list, &list);
    call(DBX_delete_database_instance_role, P({"instance", "demo"}, {"name", "ann@example.com"}), NULL, NULL);
    call(DBX_delete_database_instance_role, P({"instance", "demo"}, {"name", "ann@example.com"}, {"allow_missing", "true"}), NULL, NULL);
    refused(DBX_delete_database_instance_role, P({"instance", "demo"}, {"name", "ann@example.com"}), NULL, ERR_NOT_FOUND, 404,
            "Role 'ann@example.com' of database instance 'demo' does not exist.");
}

static const struct access_control *entry_of(const struct object_permissions *p, const char *group)
{
    const struct access_control *all = p->access_control_list.items;
    for (size_t i = 0; i < p->access_control_list.count; i++) {
        if (all[i].group_name && strcmp(all[i].group_name, group) == 0)
            return &all[i];
    }
    return NULL;
}

static void permissions(void **state)
{
    (void)state;
    struct access_control_request users = {.group_name = (char *)"users", .permission_level = (char *)"CAN_USE"};
    struct object_permissions_update in = {.access_control_list = {&users, 1}};
    struct object_permissions out;
    struct permission_levels levels;
    struct err e = {0};
    assert_false(dbx_call(app, DBX_get_instance_permissions, P({"name", "demo"}), NULL, &out, NULL, &e));
    assert_int_equal(e.code, ERR_PERMISSION);
    call(DBX_update_instance_permissions, P({"name", "demo"}), &in, &out);
    const struct object_permission *given = entry_of(&out, "users")->all_permissions.items;
    assert_string_equal(given->permission_level, "CAN_USE");
    assert_int_equal(given->inherited, TRI_FALSE);
    model_release(&model_object_permissions, &out);
    call_as(app, DBX_get_instance_permissions, P({"name", "demo"}), NULL, &out);
    assert_string_equal(out.object_id, "/database-instances/demo");
    assert_string_equal(out.object_type, "database-instances");
    given = entry_of(&out, "admins")->all_permissions.items;
    assert_int_equal(given->inherited, TRI_TRUE);
    model_release(&model_object_permissions, &out);
    call_as(app, DBX_get_instance_permission_levels, P({"name", "demo"}), NULL, &levels);
    assert_int_equal(levels.permission_levels.count, 2);
    model_release(&model_permission_levels, &levels);
    in.access_control_list.count = 0;
    call(DBX_set_instance_permissions, P({"name", "demo"}), &in, &out);
    assert_null(entry_of(&out, "users"));
    model_release(&model_object_permissions, &out);
}

static void the_postgres_view(void **state)
{
    (void)state;
    struct pg_project_list projects;
    struct pg_project project;
    struct pg_branch_list branches;
    struct pg_branch branch;
    struct pg_endpoint_list endpoints;
    struct pg_endpoint endpoint;
    struct pg_credential_request in = {.endpoint = (char *)"projects/demo/branches/production/endpoints/primary", .ttl = (char *)"300s"};
    struct pg_credential out;
    call(DBX_list_projects, NULL, NULL, &projects);
    assert_true(projects.projects.count > 0);
    model_release(&model_pg_project_list, &projects);
    call(DBX_get_project, P({"project", "demo"}), NULL, &project);
    assert_string_equal(project.name, "projects/demo");
    assert_int_equal(project.status->pg_version.value, 15);
    assert_string_equal(project.status->default_branch, "projects/demo/branches/production");
    model_release(&model_pg_project, &project);
    call(DBX_list_branches, P({"project", "demo"}), NULL, &branches);
    assert_int_equal(branches.branches.count, 1);
    model_release(&model_pg_branch_list, &branches);
    call(DBX_get_branch, P({"project", "demo"}, {"branch", "production"}), NULL, &branch);
    assert_string_equal(branch.status->current_state, "READY");
    model_release(&model_pg_branch, &branch);
    call(DBX_list_endpoints, P({"project", "demo"}, {"branch", "production"}), NULL, &endpoints);
    assert_int_equal(endpoints.endpoints.count, 1);
    model_release(&model_pg_endpoint_list, &endpoints);
    call(DBX_get_endpoint, P({"project", "demo"}, {"branch", "production"}, {"endpoint", "primary"}), NULL, &endpoint);
    assert_string_equal(endpoint.name, in.endpoint);
    assert_non_null(endpoint.status->hosts);
    model_release(&model_pg_endpoint, &endpoint);
    call(DBX_generate_endpoint_credential, NULL, &in, &out);
    assert_int_equal(strncmp(out.token, "eyJ", 3), 0);
    model_release(&model_pg_credential, &out);
    in.endpoint = (char *)"projects/demo/branches/other/endpoints/primary";
    refused(DBX_generate_endpoint_credential, NULL, &in, ERR_NOT_FOUND, 404, "endpoint id not found");
    refused(DBX_get_project, P({"project", "none"}), NULL, ERR_NOT_FOUND, 404, "project id not found");
}

static void catalogs(void **state)
{
    (void)state;
    struct database_catalog in = {.name = (char *)"Shop", .database_instance_name = (char *)"demo",
                                  .database_name = (char *)"databricks_postgres"}, out;
    struct database_catalog_list list;
    call(DBX_create_database_catalog, NULL, &in, &out);
    assert_string_equal(out.name, "shop");
    assert_int_equal(out.create_database_if_not_exists, TRI_ABSENT);
    model_release(&model_database_catalog, &out);
    refused(DBX_create_database_catalog, NULL, &in, ERR_CATALOG_EXISTS, 409, "Catalog 'shop' already exists");
    in.name = (char *)"again";
    refused(DBX_create_database_catalog, NULL, &in, ERR_ALREADY_EXISTS, 409,
            "Database 'databricks_postgres' of instance 'demo' is registered as a catalog already");
    in.database_name = (char *)"sales";
    refused(DBX_create_database_catalog, NULL, &in, ERR_NOT_FOUND, 404,
            "Database 'sales' does not exist on instance 'demo'; create it first, or set create_database_if_not_exists");
    in.create_database_if_not_exists = TRI_TRUE;
    call(DBX_create_database_catalog, NULL, &in, NULL);
    call(DBX_get_database_catalog, P({"name", "again"}), NULL, &out);
    assert_string_equal(out.database_name, "sales");
    model_release(&model_database_catalog, &out);
    call(DBX_list_database_catalogs, P({"instance", "demo"}), NULL, &list);
    assert_int_equal(list.database_catalogs.count, 2);
    model_release(&model_database_catalog_list, &list);
    refused(DBX_update_database_catalog, P({"name", "shop"}, {"update_mask", "*"}), &in, ERR_NOT_IMPLEMENTED, 501,
            "Update Database Catalog is not yet implemented");
    call(DBX_delete_database_catalog, P({"name", "again"}), NULL, NULL);
    refused(DBX_get_database_catalog, P({"name", "again"}), NULL, ERR_CATALOG_NOT_FOUND, 404,
            "Catalog 'again' does not exist.");
}

static void unity_catalogs_and_schemas(void **state)
{
    (void)state;
    struct catalog_info_list list;
    struct catalog_info one;
    struct schema_info_list schemas;
    struct schema_info schema;
    struct metastore_assignment metastore;
    call(DBX_list_catalogs, P({"max_results", "0"}), NULL, &list);
    assert_int_equal(list.catalogs.count, 3);
    assert_string_equal(((struct catalog_info *)list.catalogs.items)[0].name, "main");
    assert_string_equal(((struct catalog_info *)list.catalogs.items)[1].name, "samples");
    assert_string_equal(((struct catalog_info *)list.catalogs.items)[2].name, "shop");
    model_release(&model_catalog_info_list, &list);
    call(DBX_list_catalogs, P({"max_results", "1"}), NULL, &list);
    assert_int_equal(list.catalogs.count, 1);
    char *token = strdup(list.next_page_token);
    model_release(&model_catalog_info_list, &list);
    call(DBX_list_catalogs, P({"page_token", token}), NULL, &list);
    assert_int_equal(list.catalogs.count, 2);
    assert_null(list.next_page_token);
    model_release(&model_catalog_info_list, &list);
    free(token);
    call(DBX_get_catalog, P({"name", "shop"}), NULL, &one);
    assert_string_equal(one.catalog_type, "MANAGED_ONLINE_CATALOG");
    assert_string_equal(one.owner, "learner@example.com");
    assert_true(one.created_at.value > 1700000000000);
    model_release(&model_catalog_info, &one);
    call(DBX_list_schemas, P({"catalog_name", "shop"}), NULL, &schemas);
    assert_int_equal(schemas.schemas.count, 2);
    assert_string_equal(((struct schema_info *)schemas.schemas.items)[0].name, "public");
    assert_string_equal(((struct schema_info *)schemas.schemas.items)[1].full_name, "shop.shop");
    model_release(&model_schema_info_list, &schemas);
    call(DBX_get_schema, P({"full_name", "shop.shop"}), NULL, &schema);
    assert_string_equal(schema.comment, "what we sell");
    model_release(&model_schema_info, &schema);
    refused(DBX_get_schema, P({"full_name", "shop.none"}), NULL, ERR_SCHEMA_NOT_FOUND, 404,
            "Schema 'shop.none' does not exist.");
    call(DBX_current_metastore, NULL, NULL, &metastore);
    assert_string_equal(metastore.default_catalog_name, "main");
    model_release(&model_metastore_assignment, &metastore);
}

static const struct column_info *column(const struct table_info *t, size_t i)
{
    assert_true(i < t->columns.count);
    return (const struct column_info *)t->columns.items + i;
}

static void unity_tables(void **state)
{
    (void)state;
    struct table_info_list list;
    struct table_info t;
    struct table_exists exists;
    call(DBX_list_tables, P({"catalog_name", "shop"}, {"schema_name", "shop"}), NULL, &list);
    assert_int_equal(list.tables.count, 3); /* best, customers, orders */
    assert_null(((struct table_info *)list.tables.items)[2].table_constraints);
    model_release(&model_table_info_list, &list);
    call(DBX_list_tables, P({"catalog_name", "shop"}, {"schema_name", "shop"}, {"max_results", "2"}), NULL, &list);
    assert_int_equal(list.tables.count, 2);
    assert_non_null(list.next_page_token);
    model_release(&model_table_info_list, &list);
    call(DBX_get_table, P({"full_name", "shop.shop.orders"}), NULL, &t);
    assert_string_equal(t.table_type, "FOREIGN");
    assert_string_equal(t.data_source_format, "POSTGRESQL_FORMAT");
    assert_string_equal(t.comment, "one row a line");
    assert_int_equal(t.columns.count, 9);
    assert_string_equal(column(&t, 0)->type_name, "STRING"); /* uuid */
    assert_int_equal(column(&t, 0)->nullable, TRI_FALSE);
    assert_string_equal(column(&t, 1)->type_text, "smallint");
    assert_string_equal(column(&t, 2)->type_name, "LONG");
    assert_string_equal(column(&t, 3)->type_text, "decimal(10,2)");
    assert_int_equal(column(&t, 3)->type_scale.value, 2);
    assert_string_equal(column(&t, 3)->comment, "euro");
    assert_string_equal(column(&t, 4)->type_text, "decimal(38,18)");
    assert_string_equal(column(&t, 5)->type_name, "TIMESTAMP");
    assert_string_equal(column(&t, 7)->type_name, "BOOLEAN");
    assert_int_equal(column(&t, 8)->position.value, 8);
    char *constraints = jx_dump(t.table_constraints);
    assert_non_null(strstr(constraints, "\"primary_key_constraint\":{\"name\":\"orders_pkey\",\"child_columns\":[\"id\",\"line\"]}"));
    assert_non_null(strstr(constraints, "\"parent_table\":\"shop.shop.customers\""));
    free(constraints);
    model_release(&model_table_info, &t);
    call(DBX_table_exists, P({"full_name", "shop.shop.orders"}), NULL, &exists);
    assert_int_equal(exists.table_exists, TRI_TRUE);
    call(DBX_table_exists, P({"full_name", "shop.shop.nothing"}), NULL, &exists);
    assert_int_equal(exists.table_exists, TRI_FALSE);
    refused(DBX_get_table, P({"full_name", "shop.shop.nothing"}), NULL, ERR_TABLE_NOT_FOUND, 404,
            "Table 'shop.shop.nothing' does not exist.");
    refused(DBX_list_tables, P({"catalog_name", "none"}, {"schema_name", "s"}), NULL, ERR_CATALOG_NOT_FOUND, 404,
            "Catalog 'none' does not exist.");
}

static void stopped_instance_has_no_tables(void **state)
{
    (void)state;
    struct database_instance in = {.name = (char *)"demo", .stopped = TRI_TRUE};
    call(DBX_update_database_instance, P({"name", "demo"}, {"update_mask", "stopped"}), &in, NULL);
    await_state("demo", "STOPPED");
    refused(DBX_list_schemas, P({"catalog_name", "shop"}), NULL, ERR_INVALID_STATE, 400,
            "Catalog 'shop' cannot be read: its database instance 'demo' is STOPPED");
}

/* ---- the lakehouse: what needs no worker; a statement that finds none ---- */

static void managed_catalogs(void **state)
{
    (void)state;
    struct catalog_info in = {.name = (char *)"Lab", .comment = (char *)"c"}, one;
    struct securable_update change = {.comment = (char *)"changed"};
    struct schema_info schema_in = {.name = (char *)"s", .catalog_name = (char *)"lab"}, schema;
    call(DBX_create_catalog, NULL, &in, &one);
    assert_string_equal(one.full_name, "lab");
    assert_string_equal(one.catalog_type, "MANAGED_CATALOG");
    model_release(&model_catalog_info, &one);
    refused(DBX_create_catalog, NULL, &in, ERR_CATALOG_EXISTS, 409, "Catalog 'lab' already exists");
    call(DBX_update_catalog, P({"name", "lab"}), &change, &one);
    assert_string_equal(one.comment, "changed");
    model_release(&model_catalog_info, &one);
    call(DBX_create_schema, NULL, &schema_in, &schema);
    assert_string_equal(schema.full_name, "lab.s");
    model_release(&model_schema_info, &schema);
    call(DBX_update_schema, P({"full_name", "lab.s"}), &change, &schema);
    assert_string_equal(schema.comment, "changed");
    model_release(&model_schema_info, &schema);
    struct volume_info volume, volume_in = {.catalog_name = (char *)"lab", .schema_name = (char *)"s", .name = (char *)"V"};
    struct volume_info_list volumes;
    call(DBX_create_volume, NULL, &volume_in, &volume);
    assert_string_equal(volume.full_name, "lab.s.v");
    model_release(&model_volume_info, &volume);
    call(DBX_update_volume, P({"name", "lab.s.v"}), &change, &volume);
    assert_string_equal(volume.comment, "changed");
    model_release(&model_volume_info, &volume);
    call(DBX_get_volume, P({"name", "lab.s.v"}), NULL, &volume);
    assert_string_equal(volume.volume_type, "MANAGED");
    model_release(&model_volume_info, &volume);
    call(DBX_list_volumes, P({"catalog_name", "lab"}, {"schema_name", "s"}), NULL, &volumes);
    assert_int_equal(volumes.volumes.count, 1);
    model_release(&model_volume_info_list, &volumes);
    call(DBX_delete_volume, P({"name", "lab.s.v"}), NULL, NULL);
    refused(DBX_get_volume, P({"name", "lab.s.v"}), NULL, ERR_VOLUME_NOT_FOUND, 404, "Volume 'lab.s.v' does not exist.");
    refused(DBX_delete_catalog, P({"name", "lab"}), NULL, ERR_CATALOG_NOT_EMPTY, 400,
            "Catalog 'lab' is not empty. The catalog has one or more schema(s).");
    refused(DBX_update_table, P({"full_name", "lab.s.t"}), &change, ERR_TABLE_NOT_FOUND, 404,
            "Table 'lab.s.t' does not exist.");
    refused(DBX_delete_table, P({"full_name", "lab.s.t"}), NULL, ERR_TABLE_NOT_FOUND, 404,
            "Table 'lab.s.t' does not exist.");
    refused(DBX_table_lineage, P({"table_name", "lab.s.t"}), NULL, ERR_TABLE_NOT_FOUND, 404,
            "Table 'lab.s.t' does not exist.");
}

static void grants(void **state)
{
    (void)state;
    char *use[] = {(char *)"use schema"};
    struct permissions_change change = {.principal = (char *)"account users", .add = {use, 1}};
    struct permissions_update in = {.changes = {&change, 1}};
    struct permissions_list out;
    struct effective_permissions_list effective;
    const struct dbx_param catalog[] = {{"securable_type", "catalog"}, {"full_name", "lab"}, {NULL, NULL}};
    call(DBX_update_grants, catalog, &in, &out);
    model_release(&model_permissions_list, &out);
    call(DBX_get_grants, catalog, NULL, &out);
    const struct privilege_assignment *one = out.privilege_assignments.items;
    assert_int_equal(out.privilege_assignments.count, 1);
    assert_string_equal(one->principal, "account users");
    assert_string_equal(((char **)one->privileges.items)[0], "USE_SCHEMA");
    model_release(&model_permissions_list, &out);
    call(DBX_get_effective_grants, P({"securable_type", "schema"}, {"full_name", "lab.s"}), NULL, &effective);
    const struct effective_assignment *who = effective.privilege_assignments.items;
    const struct effective_privilege *what = who->privileges.items;
    assert_string_equal(what->inherited_from_name, "lab");
    assert_string_equal(what->inherited_from_type, "CATALOG");
    model_release(&model_effective_permissions_list, &effective);
    change.principal = (char *)"nobody";
    struct err e = {0};
    assert_false(dbx_call(user, DBX_update_grants, catalog, &in, NULL, NULL, &e));
    assert_int_equal(e.code, ERR_PRINCIPAL_NOT_FOUND);
    call(DBX_delete_schema, P({"full_name", "lab.s"}), NULL, NULL);
    call(DBX_delete_catalog, P({"name", "lab"}), NULL, NULL);
}

static void statements_without_a_worker(void **state)
{
    (void)state;
    struct warehouse_list list;
    struct warehouse one;
    call(DBX_list_warehouses, NULL, NULL, &list);
    assert_int_equal(list.warehouses.count, 1);
    char *id = strdup(((struct warehouse *)list.warehouses.items)[0].id);
    model_release(&model_warehouse_list, &list);
    call(DBX_get_warehouse, P({"id", id}), NULL, &one);
    assert_string_equal(one.state, "STOPPED");
    assert_string_equal(one.health->status, "HEALTHY");
    model_release(&model_warehouse, &one);
    call(DBX_stop_warehouse, P({"id", id}), NULL, NULL);
    refused(DBX_start_warehouse, P({"id", "none"}), NULL, ERR_INVALID_PARAMETER, 400, "none is not a valid endpoint id.");
    struct statement_parameter parameter = {.name = (char *)"a", .value = (char *)"1", .type = (char *)"INT"};
    struct statement_request in = {.statement = (char *)"SELECT :a", .warehouse_id = id, .parameters = {&parameter, 1},
                                   .wait_timeout = (char *)"50s"};
    struct statement_response out;
    call(DBX_execute_statement, NULL, &in, &out);
    assert_string_equal(out.status->state, "FAILED");
    assert_null(out.manifest);
    char *statement = strdup(out.statement_id);
    model_release(&model_statement_response, &out);
    call(DBX_get_statement, P({"id", statement}), NULL, &out);
    assert_string_equal(out.status->state, "FAILED");
    assert_non_null(strstr(out.status->error->message, "the lakehouse worker does not start"));
    model_release(&model_statement_response, &out);
    call(DBX_cancel_statement, P({"id", statement}), NULL, NULL);
    struct err e = {0};
    called[DBX_get_statement_chunk] = true;
    assert_false(dbx_call(user, DBX_get_statement_chunk, P({"id", statement}, {"index", "0"}), NULL, NULL, NULL, &e));
    assert_int_equal(e.code, ERR_INVALID_STATE);
    /* Another's statement is not there. */
    err_init(&e);
    assert_false(dbx_call(app, DBX_get_statement, P({"id", statement}), NULL, NULL, NULL, &e));
    assert_int_equal(e.code, ERR_RESOURCE_NOT_FOUND);
    free(statement);
    free(id);
}

/* Synced tables move rows in the worker (tests/workspace/test_synced*.py); here, what is not there is refused alike. */
static void synced_tables_that_are_not_there(void **state)
{
    (void)state;
    struct synced_table in = {.name = (char *)"shop.shop.copy", .database_instance_name = (char *)"none"};
    struct synced_table_list tables;
    struct pipeline_list pipelines;
    struct pipeline_start start = {.full_refresh = TRI_FALSE};
    static const enum dbx_route of_table[] = {DBX_get_synced_table, DBX_delete_synced_table};
    static const enum dbx_route of_pipeline[] = {DBX_get_pipeline, DBX_list_updates, DBX_get_update,
                                                 DBX_list_pipeline_events, DBX_stop_pipeline};
    struct err e = {0};
    for (size_t i = 0; i < ARRAY_LEN(of_table); i++, err_init(&e)) {
        called[of_table[i]] = true;
        assert_false(dbx_call(user, of_table[i], P({"name", "shop.shop.copy"}), NULL, NULL, NULL, &e));
        assert_int_equal(e.http, 404);
    }
    for (size_t i = 0; i < ARRAY_LEN(of_pipeline); i++, err_init(&e)) {
        called[of_pipeline[i]] = true;
        assert_false(dbx_call(user, of_pipeline[i], P({"pipeline_id", "none"}, {"update_id", "none"}), NULL, NULL, NULL, &e));
        assert_int_equal(e.http, 404);
    }
    called[DBX_start_update] = called[DBX_create_synced_table] = called[DBX_update_synced_table] = true;
    assert_false(dbx_call(user, DBX_start_update, P({"pipeline_id", "none"}), &start, NULL, NULL, &e));
    assert_int_equal(e.http, 404);
    err_init(&e);
    assert_false(dbx_call(user, DBX_create_synced_table, NULL, &in, NULL, NULL, &e));
    assert_int_equal(e.http, 400); /* no spec */
    err_init(&e);
    assert_false(dbx_call(user, DBX_update_synced_table, P({"name", "shop.shop.copy"}, {"update_mask", "*"}), &in, NULL,
                          NULL, &e));
    assert_true(e.http >= 400 && e.http < 502);
    call(DBX_list_synced_tables, P({"instance", "demo"}), NULL, &tables);
    assert_int_equal(tables.synced_tables.count, 0);
    model_release(&model_synced_table_list, &tables);
    call(DBX_list_pipelines, NULL, NULL, &pipelines);
    assert_int_equal(pipelines.statuses.count, 0);
    model_release(&model_pipeline_list, &pipelines);
}

static void delete_all(void **state)
{
    (void)state;
    refused(DBX_delete_database_instance, P({"name", "demo"}, {"purge", "false"}), NULL, ERR_INVALID_PARAMETER, 400,
            "Purge must be set to true to delete a database instance.");
    call(DBX_delete_catalog, P({"name", "SHOP"}, {"force", "true"}), NULL, NULL);
    call(DBX_delete_database_instance, P({"name", "demo"}, {"purge", "true"}), NULL, NULL);
    await_state("demo", "");
    refused(DBX_get_database_instance, P({"name", "demo"}), NULL, ERR_NOT_FOUND, 404, "Database instance is not found.");
}

static void every_route_was_driven(void **state)
{
    (void)state;
    for (int i = 0; i < DBX_ROUTE_COUNT; i++) {
        if (!called[i])
            fail_msg("no test calls %s", dbx_route_info((enum dbx_route)i)->operation);
    }
}

int main(void)
{
    jx_setup();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_am_i), cmocka_unit_test(create_and_read), cmocka_unit_test(pages_of_instances),
        cmocka_unit_test(update_with_masks), cmocka_unit_test(credentials), cmocka_unit_test(roles), cmocka_unit_test(permissions),
        cmocka_unit_test(the_postgres_view), cmocka_unit_test(catalogs),
        cmocka_unit_test(unity_catalogs_and_schemas), cmocka_unit_test(unity_tables),
        cmocka_unit_test(managed_catalogs), cmocka_unit_test(grants), cmocka_unit_test(statements_without_a_worker),
        cmocka_unit_test(synced_tables_that_are_not_there),
        cmocka_unit_test(stopped_instance_has_no_tables), cmocka_unit_test(delete_all),
        cmocka_unit_test(every_route_was_driven),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}

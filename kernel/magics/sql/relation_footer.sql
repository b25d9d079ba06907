WITH rel AS (SELECT $1::oid AS oid, $2::boolean AS plus)
SELECT line FROM (
    SELECT 1 AS section, 1 AS part, '' AS name, 'Partition of: ' || inhparent::regclass::text || ' ' || pg_catalog.pg_get_expr(c.relpartbound, c.oid) AS line
    FROM   pg_catalog.pg_inherits AS h JOIN pg_catalog.pg_class AS c ON c.oid = h.inhrelid
    WHERE  c.oid = (SELECT oid FROM rel) AND c.relispartition
    UNION ALL
    SELECT 2, 1, '', 'Partition key: ' || pg_catalog.pg_get_partkeydef(c.oid)
    FROM   pg_catalog.pg_class AS c WHERE c.oid = (SELECT oid FROM rel) AND c.relkind = 'p'
    UNION ALL
    SELECT DISTINCT 3, 0, '', 'Indexes:' FROM pg_catalog.pg_index AS i WHERE i.indrelid = (SELECT oid FROM rel)
    UNION ALL
    SELECT 3, CASE WHEN i.indisprimary THEN 1 ELSE 2 END, c.relname,
           '    "' || c.relname || '"' ||
           CASE WHEN k.contype = 'x' THEN ' ' || pg_catalog.pg_get_constraintdef(k.oid, true)
                ELSE CASE WHEN i.indisprimary THEN ' PRIMARY KEY,' WHEN i.indisunique AND k.contype = 'u' THEN ' UNIQUE CONSTRAINT,'
                          WHEN i.indisunique THEN ' UNIQUE,' ELSE '' END || ' ' ||
                     substr(pg_catalog.pg_get_indexdef(c.oid, 0, true), strpos(pg_catalog.pg_get_indexdef(c.oid, 0, true), ' USING ') + 7) ||
                     CASE WHEN k.condeferrable THEN ' DEFERRABLE' ELSE '' END ||
                     CASE WHEN k.condeferred THEN ' INITIALLY DEFERRED' ELSE '' END END ||
           CASE WHEN i.indisclustered THEN ' CLUSTER' ELSE '' END || CASE WHEN i.indisvalid THEN '' ELSE ' INVALID' END
    FROM   pg_catalog.pg_index AS i JOIN pg_catalog.pg_class AS c ON c.oid = i.indexrelid
           LEFT JOIN pg_catalog.pg_constraint AS k ON k.conindid = c.oid AND k.conrelid = i.indrelid AND k.contype IN ('p', 'u', 'x')
    WHERE  i.indrelid = (SELECT oid FROM rel)
    UNION ALL
    SELECT DISTINCT 4, 0, '', 'Check constraints:' FROM pg_catalog.pg_constraint WHERE conrelid = (SELECT oid FROM rel) AND contype = 'c'
    UNION ALL
    SELECT 4, 1, conname, '    "' || conname || '" ' || pg_catalog.pg_get_constraintdef(oid, true)
    FROM   pg_catalog.pg_constraint WHERE conrelid = (SELECT oid FROM rel) AND contype = 'c'
    UNION ALL
    SELECT DISTINCT 5, 0, '', 'Foreign-key constraints:' FROM pg_catalog.pg_constraint WHERE conrelid = (SELECT oid FROM rel) AND contype = 'f'
    UNION ALL
    SELECT 5, 1, conname, '    "' || conname || '" ' || pg_catalog.pg_get_constraintdef(oid, true)
    FROM   pg_catalog.pg_constraint WHERE conrelid = (SELECT oid FROM rel) AND contype = 'f'
    UNION ALL
    SELECT DISTINCT 6, 0, '', 'Referenced by:' FROM pg_catalog.pg_constraint
    WHERE  confrelid = (SELECT oid FROM rel) AND contype = 'f' AND conparentid = 0
    UNION ALL
    SELECT 6, 1, conname || conrelid::regclass::text,
           '    TABLE "' || conrelid::regclass::text || '" CONSTRAINT "' || conname || '" ' || pg_catalog.pg_get_constraintdef(oid, true)
    FROM   pg_catalog.pg_constraint WHERE confrelid = (SELECT oid FROM rel) AND contype = 'f' AND conparentid = 0
    UNION ALL
    SELECT 7, 0, '', 'Policies' ||
           CASE WHEN c.relrowsecurity AND c.relforcerowsecurity THEN ' (forced row security enabled):'
                WHEN c.relrowsecurity AND p.has THEN ':' WHEN c.relrowsecurity THEN ' (row security enabled):'
                ELSE ' (row security disabled):' END || CASE WHEN p.has THEN '' ELSE ' (none)' END
    FROM   pg_catalog.pg_class AS c, LATERAL (SELECT EXISTS (SELECT FROM pg_catalog.pg_policy WHERE polrelid = c.oid) AS has) AS p
    WHERE  c.oid = (SELECT oid FROM rel) AND (p.has OR c.relrowsecurity)
    UNION ALL
    SELECT 7, 1, p.polname, '    POLICY "' || p.polname || '"' || CASE WHEN p.polpermissive THEN '' ELSE ' AS RESTRICTIVE' END ||
           CASE p.polcmd WHEN 'r' THEN ' FOR SELECT' WHEN 'a' THEN ' FOR INSERT' WHEN 'w' THEN ' FOR UPDATE' WHEN 'd' THEN ' FOR DELETE' ELSE '' END ||
           coalesce(chr(10) || '      TO ' || (SELECT string_agg(rolname, ',' ORDER BY rolname) FROM pg_catalog.pg_roles
                                               WHERE oid = ANY (p.polroles)), '') ||
           coalesce(chr(10) || '      USING (' || pg_catalog.pg_get_expr(p.polqual, p.polrelid) || ')', '') ||
           coalesce(chr(10) || '      WITH CHECK (' || pg_catalog.pg_get_expr(p.polwithcheck, p.polrelid) || ')', '')
    FROM   pg_catalog.pg_policy AS p WHERE p.polrelid = (SELECT oid FROM rel)
    UNION ALL
    SELECT DISTINCT 8, 0, '', 'Triggers:' FROM pg_catalog.pg_trigger WHERE tgrelid = (SELECT oid FROM rel) AND NOT tgisinternal
    UNION ALL
    SELECT 8, 1, tgname, '    ' || regexp_replace(pg_catalog.pg_get_triggerdef(oid, true), '^CREATE( CONSTRAINT)? TRIGGER ', '')
    FROM   pg_catalog.pg_trigger WHERE tgrelid = (SELECT oid FROM rel) AND NOT tgisinternal
    UNION ALL
    SELECT 9, 1, '', 'Inherits: ' || string_agg(inhparent::regclass::text, ', ' ORDER BY inhseqno)
    FROM   pg_catalog.pg_inherits AS h JOIN pg_catalog.pg_class AS c ON c.oid = h.inhrelid
    WHERE  c.oid = (SELECT oid FROM rel) AND NOT c.relispartition AND c.relkind IN ('r', 'f') HAVING count(*) > 0
    UNION ALL
    SELECT 10, 1, '', CASE WHEN c.relkind = 'p' THEN 'Number of partitions: ' ELSE 'Number of child tables: ' END || count(h.inhrelid) ||
           CASE WHEN count(h.inhrelid) > 0 THEN ' (Use \d+ to list them.)' ELSE '' END
    FROM   pg_catalog.pg_class AS c LEFT JOIN pg_catalog.pg_inherits AS h ON h.inhparent = c.oid
    WHERE  c.oid = (SELECT oid FROM rel) AND c.relkind IN ('r', 'p') AND NOT (SELECT plus FROM rel)
    GROUP  BY c.relkind HAVING c.relkind = 'p' OR count(h.inhrelid) > 0
    UNION ALL
    SELECT 10, 1, '', CASE WHEN c.relkind = 'p' THEN 'Partitions: ' ELSE 'Child tables: ' END ||
           string_agg(k.oid::regclass::text || coalesce(' ' || pg_catalog.pg_get_expr(k.relpartbound, k.oid), ''),
                      ',' || chr(10) || repeat(' ', CASE WHEN c.relkind = 'p' THEN 12 ELSE 14 END)
                      ORDER BY pg_catalog.pg_get_expr(k.relpartbound, k.oid) = 'DEFAULT', k.oid::regclass::text)
    FROM   pg_catalog.pg_class AS c JOIN pg_catalog.pg_inherits AS h ON h.inhparent = c.oid JOIN pg_catalog.pg_class AS k ON k.oid = h.inhrelid
    WHERE  c.oid = (SELECT oid FROM rel) AND c.relkind IN ('r', 'p') AND (SELECT plus FROM rel)
    GROUP  BY c.relkind
    UNION ALL
    SELECT 11, 1, '', CASE WHEN i.indisprimary THEN 'primary key, ' WHEN i.indisunique THEN 'unique, ' ELSE '' END || am.amname ||
           ', for table "' || n.nspname || '.' || t.relname || '"' ||
           coalesce(', predicate (' || pg_catalog.pg_get_expr(i.indpred, i.indrelid, true) || ')', '') ||
           CASE WHEN i.indisvalid THEN '' ELSE ', invalid' END
    FROM   pg_catalog.pg_index AS i JOIN pg_catalog.pg_class AS c ON c.oid = i.indexrelid JOIN pg_catalog.pg_am AS am ON am.oid = c.relam
           JOIN pg_catalog.pg_class AS t ON t.oid = i.indrelid JOIN pg_catalog.pg_namespace AS n ON n.oid = t.relnamespace
    WHERE  i.indexrelid = (SELECT oid FROM rel)
    UNION ALL
    SELECT 12, 1, '', CASE d.deptype WHEN 'i' THEN 'Sequence for identity column: ' ELSE 'Owned by: ' END ||
           d.refobjid::regclass::text || '.' || a.attname
    FROM   pg_catalog.pg_depend AS d JOIN pg_catalog.pg_class AS c ON c.oid = d.objid AND c.relkind = 'S'
           JOIN pg_catalog.pg_attribute AS a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
    WHERE  d.objid = (SELECT oid FROM rel) AND d.classid = 'pg_catalog.pg_class'::regclass
    AND    d.refclassid = 'pg_catalog.pg_class'::regclass AND d.deptype IN ('a', 'i')
) AS lines
ORDER BY section, part, name COLLATE "C"

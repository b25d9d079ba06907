-- What stands under the columns of \d NAME: place, heading, line; lines of one heading stay together, in order.
-- $1 oid, $2 for \d+, which lists children by name elsewhere. A heading that is NULL: the line stands alone.
SELECT place, heading, line FROM (
  -- partitioning
  SELECT 10 AS place, NULL::pg_catalog.text AS heading, '' AS key,
         'Partition of: ' || p.oid::pg_catalog.regclass || ' ' || pg_catalog.pg_get_expr(c.relpartbound, c.oid)
           || CASE WHEN i.inhdetachpending THEN ' DETACH PENDING' ELSE '' END AS line
  FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_inherits i ON i.inhrelid = c.oid
  JOIN pg_catalog.pg_class p ON p.oid = i.inhparent
  WHERE c.oid = $1::pg_catalog.oid AND c.relispartition AND c.relkind NOT IN ('i', 'I')
  UNION ALL
  SELECT 10, NULL, '1', COALESCE('Partition constraint: ' || pg_catalog.pg_get_partition_constraintdef(c.oid),
                                 'No partition constraint')
  FROM pg_catalog.pg_class c
  WHERE c.oid = $1::pg_catalog.oid AND c.relispartition AND c.relkind NOT IN ('i', 'I') AND $2::pg_catalog.bool
  UNION ALL
  SELECT 11, NULL, '', 'Partition key: ' || pg_catalog.pg_get_partkeydef(c.oid)
  FROM pg_catalog.pg_class c WHERE c.oid = $1::pg_catalog.oid AND c.relkind = 'p'
  -- an index: one line about itself
  UNION ALL
  SELECT 12, NULL, '',
         CASE WHEN i.indisprimary THEN 'primary key, '
              WHEN i.indisunique AND i.indnullsnotdistinct THEN 'unique nulls not distinct, '
              WHEN i.indisunique THEN 'unique, ' ELSE '' END
         || am.amname || ', for table "' || n.nspname || '.' || t.relname || '"'
         || COALESCE(', predicate (' || pg_catalog.pg_get_expr(i.indpred, i.indrelid, true) || ')', '')
         || CASE WHEN i.indisclustered THEN ', clustered' ELSE '' END
         || CASE WHEN NOT i.indisvalid THEN ', invalid' ELSE '' END
         || CASE WHEN NOT i.indimmediate THEN ', deferrable' ELSE '' END
         || CASE WHEN k.condeferred THEN ', initially deferred' ELSE '' END
         || CASE WHEN i.indisreplident THEN ', replica identity' ELSE '' END
  FROM pg_catalog.pg_index i
  JOIN pg_catalog.pg_class x ON x.oid = i.indexrelid
  JOIN pg_catalog.pg_am am ON am.oid = x.relam
  JOIN pg_catalog.pg_class t ON t.oid = i.indrelid
  JOIN pg_catalog.pg_namespace n ON n.oid = t.relnamespace
  LEFT JOIN pg_catalog.pg_constraint k ON k.conindid = i.indexrelid AND k.conrelid = i.indrelid
    AND k.contype IN ('p', 'u', 'x')
  WHERE i.indexrelid = $1::pg_catalog.oid
  -- a sequence: whose it is
  UNION ALL
  SELECT 13, NULL, '',
         CASE d.deptype WHEN 'i' THEN 'Sequence for identity column: ' ELSE 'Owned by: ' END
         || pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(t.relname) || '.'
         || pg_catalog.quote_ident(a.attname)
  FROM pg_catalog.pg_depend d
  JOIN pg_catalog.pg_class s ON s.oid = d.objid AND s.relkind = 'S'
  JOIN pg_catalog.pg_class t ON t.oid = d.refobjid
  JOIN pg_catalog.pg_namespace n ON n.oid = t.relnamespace
  JOIN pg_catalog.pg_attribute a ON a.attrelid = t.oid AND a.attnum = d.refobjsubid
  WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
    AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
    AND d.objid = $1::pg_catalog.oid AND d.deptype IN ('a', 'i')
  -- indexes of a table
  UNION ALL
  SELECT 20, 'Indexes:', CASE WHEN i.indisprimary THEN '0' ELSE '1' END || x.relname,
         '"' || x.relname || '"'
         || CASE WHEN k.contype = 'x' THEN ' ' || pg_catalog.pg_get_constraintdef(k.oid, true)
                 ELSE CASE WHEN i.indisprimary THEN ' PRIMARY KEY,'
                           WHEN i.indisunique AND k.contype = 'u' THEN ' UNIQUE CONSTRAINT,'
                           WHEN i.indisunique THEN ' UNIQUE,' ELSE '' END
                      || ' ' || pg_catalog.substring(
                                  pg_catalog.pg_get_indexdef(i.indexrelid, 0, true), ' USING (.*)$')
                      || CASE WHEN k.condeferrable THEN ' DEFERRABLE' ELSE '' END
                      || CASE WHEN k.condeferred THEN ' INITIALLY DEFERRED' ELSE '' END END
         || CASE WHEN i.indisclustered THEN ' CLUSTER' ELSE '' END
         || CASE WHEN NOT i.indisvalid THEN ' INVALID' ELSE '' END
         || CASE WHEN i.indisreplident THEN ' REPLICA IDENTITY' ELSE '' END
  FROM pg_catalog.pg_index i
  JOIN pg_catalog.pg_class x ON x.oid = i.indexrelid
  LEFT JOIN pg_catalog.pg_constraint k
    ON k.conrelid = i.indrelid AND k.conindid = i.indexrelid AND k.contype IN ('p', 'u', 'x')
  WHERE i.indrelid = $1::pg_catalog.oid
  -- constraints
  UNION ALL
  SELECT 30, 'Check constraints:', k.conname, '"' || k.conname || '" ' || pg_catalog.pg_get_constraintdef(k.oid, true)
  FROM pg_catalog.pg_constraint k WHERE k.conrelid = $1::pg_catalog.oid AND k.contype = 'c'
  UNION ALL
  SELECT 40, 'Foreign-key constraints:', k.conname,
         '"' || k.conname || '" ' || pg_catalog.pg_get_constraintdef(k.oid, true)
  FROM pg_catalog.pg_constraint k
  WHERE k.conrelid = $1::pg_catalog.oid AND k.contype = 'f'
  UNION ALL
  SELECT 50, 'Referenced by:', k.conname,
         'TABLE "' || k.conrelid::pg_catalog.regclass || '" CONSTRAINT "' || k.conname || '" '
         || pg_catalog.pg_get_constraintdef(k.oid, true)
  FROM pg_catalog.pg_constraint k
  WHERE k.confrelid = $1::pg_catalog.oid AND k.contype = 'f' AND k.conparentid = 0
  -- row security
  UNION ALL
  SELECT 60,
         CASE WHEN c.relrowsecurity AND c.relforcerowsecurity THEN 'Policies (forced row security enabled):'
              WHEN c.relrowsecurity THEN 'Policies:' ELSE 'Policies (row security disabled):' END,
         p.polname,
         'POLICY "' || p.polname || '"'
         || CASE WHEN NOT p.polpermissive THEN ' AS RESTRICTIVE' ELSE '' END
         || CASE p.polcmd WHEN 'r' THEN ' FOR SELECT' WHEN 'a' THEN ' FOR INSERT' WHEN 'w' THEN ' FOR UPDATE'
                 WHEN 'd' THEN ' FOR DELETE' ELSE '' END
         || CASE WHEN p.polroles = '{0}' THEN '' ELSE E'\n      TO ' ||
              (SELECT pg_catalog.string_agg(r.rolname, ',' ORDER BY r.rolname) FROM pg_catalog.pg_roles r
               WHERE r.oid = ANY (p.polroles)) END
         || COALESCE(E'\n      USING (' || pg_catalog.pg_get_expr(p.polqual, p.polrelid) || ')', '')
         || COALESCE(E'\n      WITH CHECK (' || pg_catalog.pg_get_expr(p.polwithcheck, p.polrelid) || ')', '')
  FROM pg_catalog.pg_policy p JOIN pg_catalog.pg_class c ON c.oid = p.polrelid
  WHERE p.polrelid = $1::pg_catalog.oid
  UNION ALL
  SELECT 61, NULL, '',
         CASE WHEN c.relforcerowsecurity THEN 'Policies (forced row security enabled): (none)'
              ELSE 'Policies (row security enabled): (none)' END
  FROM pg_catalog.pg_class c
  WHERE c.oid = $1::pg_catalog.oid AND c.relrowsecurity
    AND NOT EXISTS (SELECT FROM pg_catalog.pg_policy p WHERE p.polrelid = c.oid)
  -- publications, triggers
  UNION ALL
  SELECT 80, 'Publications:', p.pubname, '"' || p.pubname || '"'
  FROM pg_catalog.pg_publication_tables v
  JOIN pg_catalog.pg_publication p ON p.pubname = v.pubname
  JOIN pg_catalog.pg_class c ON c.relname = v.tablename
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace AND n.nspname = v.schemaname
  WHERE c.oid = $1::pg_catalog.oid
  UNION ALL
  SELECT CASE t.tgenabled WHEN 'D' THEN 91 ELSE 90 END,
         CASE t.tgenabled WHEN 'D' THEN 'Disabled user triggers:' ELSE 'Triggers:' END, t.tgname,
         pg_catalog.substring(pg_catalog.pg_get_triggerdef(t.oid, true), ' TRIGGER (.*)$')
  FROM pg_catalog.pg_trigger t
  WHERE t.tgrelid = $1::pg_catalog.oid AND NOT t.tgisinternal
  -- inheritance
  UNION ALL
  SELECT 100, NULL, '',
         'Inherits: ' || pg_catalog.string_agg(i.inhparent::pg_catalog.regclass::pg_catalog.text,
                                               E',\n          ' ORDER BY i.inhseqno)
  FROM pg_catalog.pg_inherits i
  JOIN pg_catalog.pg_class c ON c.oid = i.inhrelid
  WHERE i.inhrelid = $1::pg_catalog.oid AND NOT c.relispartition AND c.relkind NOT IN ('i', 'I')
  HAVING pg_catalog.count(*) > 0
  UNION ALL
  SELECT 101, NULL, '',
         CASE WHEN c.relkind IN ('p', 'I') THEN 'Number of partitions: ' ELSE 'Number of child tables: ' END
         || pg_catalog.count(i.inhrelid) || CASE WHEN pg_catalog.count(i.inhrelid) > 0
                                                 THEN ' (Use \d+ to list them.)' ELSE '' END
  FROM pg_catalog.pg_class c
  LEFT JOIN pg_catalog.pg_inherits i ON i.inhparent = c.oid
  WHERE c.oid = $1::pg_catalog.oid AND c.relkind IN ('r', 'p', 'f', 'I') AND NOT $2::pg_catalog.bool
  GROUP BY c.oid, c.relkind
  HAVING c.relkind IN ('p', 'I') OR pg_catalog.count(i.inhrelid) > 0
) f
ORDER BY place, key

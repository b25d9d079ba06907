-- Something outside the table needs it to stay: views, foreign keys, publications, children. $1: the table
SELECT EXISTS (SELECT FROM pg_catalog.pg_depend d
               WHERE d.refclassid = 'pg_catalog.pg_class'::regclass AND d.refobjid = $1::regclass
                 AND d.classid IN ('pg_catalog.pg_rewrite'::regclass, 'pg_catalog.pg_proc'::regclass))
    OR EXISTS (SELECT FROM pg_catalog.pg_constraint k WHERE k.confrelid = $1::regclass AND k.contype = 'f')
    OR EXISTS (SELECT FROM pg_catalog.pg_publication_rel p WHERE p.prrelid = $1::regclass)
    OR EXISTS (SELECT FROM pg_catalog.pg_inherits i WHERE i.inhparent = $1::regclass)
    OR EXISTS (SELECT FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_class c ON c.reltype = d.refobjid
               WHERE d.refclassid = 'pg_catalog.pg_type'::regclass AND c.oid = $1::regclass AND d.deptype = 'n')

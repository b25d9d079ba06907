-- The narrowest type that all values of a text column fit, NULL and '' left out; text when there are none. pg/infer.c puts the
-- column's name in. Numbers with leading zeros are codes, not numbers.
SELECT CASE WHEN count(v) = 0 THEN 'text'
            WHEN bool_and(v ~ '^-?(0|[1-9][0-9]{0,8})$') THEN 'integer'
            WHEN bool_and(v ~ '^-?(0|[1-9][0-9]{0,17})$') THEN 'bigint'
            WHEN bool_and(v ~ '^-?(0|[1-9][0-9]*)([.][0-9]+)?$') THEN 'numeric'
            WHEN bool_and(v ~ '^-?[0-9]+([.][0-9]+)?[eE][+-]?[0-9]+$') THEN 'double precision'
            WHEN bool_and(lower(v) IN ('true', 'false', 't', 'f', 'yes', 'no')) THEN 'boolean'
            WHEN bool_and(v ~ '^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])$') THEN 'date'
            WHEN bool_and(v ~ '^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])[T ][0-9]{2}:[0-9]{2}(:[0-9]{2}([.][0-9]+)?)?$')
                THEN 'timestamp'
            WHEN bool_and(v ~ '^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])[T ][0-9]{2}:[0-9]{2}(:[0-9]{2}([.][0-9]+)?)?(Z|[+-][0-9]{2}(:?[0-9]{2})?)$')
                THEN 'timestamptz'
            WHEN bool_and(v ~* '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$') THEN 'uuid'
            ELSE 'text' END
FROM (SELECT NULLIF(%s, '') FROM pg_temp.lakebase_load) AS c(v)

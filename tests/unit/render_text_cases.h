/*
 * Tables and what psql 15 prints for them (\pset null NULL, \x for the expanded ones; without the empty line at the end).
 * Columns: "l" or "r" and the name. Cells by rows.
 */
static const struct text_case text_cases[] = {
    {"simple", NULL, false, 2, 2,
     (const char *const[]){"rid", "lname"},
     (const char *const[]){"1", "ada", "22", "grace hopper"},
     " id |     name     \n"
     "----+--------------\n"
     "  1 | ada\n"
     " 22 | grace hopper\n"
     "(2 rows)\n"},
    {"null and empty", NULL, false, 3, 3,
     (const char *const[]){"la", "lb", "rc"},
     (const char *const[]){NULL, "", NULL, "", "x", "5", "NULL", NULL, "-10.50"},
     "  a   |  b   |   c    \n"
     "------+------+--------\n"
     " NULL |      |   NULL\n"
     "      | x    |      5\n"
     " NULL | NULL | -10.50\n"
     "(3 rows)\n"},
    {"lines", NULL, false, 3, 3,
     (const char *const[]){"la", "lb", "rc"},
     (const char *const[]){"one\ntwo", "x", "1", "y", "first\n\nthird\nfourth", "2", "", "end\n", "3"},
     "  a  |   b    | c \n"
     "-----+--------+---\n"
     " one+| x      | 1\n"
     " two |        | \n"
     " y   | first +| 2\n"
     "     |       +| \n"
     "     | third +| \n"
     "     | fourth | \n"
     "     | end   +| 3\n"
     "     |        | \n"
     "(3 rows)\n"},
    {"lines in the last column", NULL, false, 2, 3,
     (const char *const[]){"rn", "lnote"},
     (const char *const[]){"1", "a\nbb", "2", "c", "3", "\n"},
     " n | note \n"
     "---+------\n"
     " 1 | a   +\n"
     "   | bb\n"
     " 2 | c\n"
     " 3 |     +\n"
     "   | \n"
     "(3 rows)\n"},
    {"lines in the only column", NULL, false, 1, 2,
     (const char *const[]){"lQUERY PLAN"},
     (const char *const[]){"Sort\n  ->  Seq Scan", "x"},
     "   QUERY PLAN   \n"
     "----------------\n"
     " Sort          +\n"
     "   ->  Seq Scan\n"
     " x\n"
     "(2 rows)\n"},
    {"wide characters", NULL, false, 3, 3,
     (const char *const[]){"l名前", "rn", "lx"},
     (const char *const[]){"日本語", "1", "é", "ab", "22", "e\314\201e\314\201", "🙂 ok", "3", "ｆｕｌｌ"},
     "  名前  | n  |    x     \n"
     "--------+----+----------\n"
     " 日本語 |  1 | é\n"
     " ab     | 22 | éé\n"
     " 🙂 ok  |  3 | ｆｕｌｌ\n"
     "(3 rows)\n"},
    {"centred headings", NULL, false, 4, 1,
     (const char *const[]){"labc", "lab", "rlong heading", "lx"},
     (const char *const[]){"123456", "12345", "1", "1"},
     "  abc   |  ab   | long heading | x \n"
     "--------+-------+--------------+---\n"
     " 123456 | 12345 |            1 | 1\n"
     "(1 row)\n"},
    {"lines in a heading", NULL, false, 2, 2,
     (const char *const[]){"lfirst\nline", "rb"},
     (const char *const[]){"a", "1", "bb\nc", "2"},
     " first+| b \n"
     " line  |   \n"
     "-------+---\n"
     " a     | 1\n"
     " bb   +| 2\n"
     " c     | \n"
     "(2 rows)\n"},
    {"short title", "List", false, 2, 1,
     (const char *const[]){"la", "lsome column"},
     (const char *const[]){"1", "2"},
     "      List\n"
     " a | some column \n"
     "---+-------------\n"
     " 1 | 2\n"
     "(1 row)\n"},
    {"odd title", "List of it", false, 2, 1,
     (const char *const[]){"la", "lsome column"},
     (const char *const[]){"1", "2"},
     "   List of it\n"
     " a | some column \n"
     "---+-------------\n"
     " 1 | 2\n"
     "(1 row)\n"},
    {"long title", "A title that is longer than the table", false, 1, 1,
     (const char *const[]){"la"},
     (const char *const[]){"1"},
     "A title that is longer than the table\n"
     " a \n"
     "---\n"
     " 1\n"
     "(1 row)\n"},
    {"controls", NULL, false, 2, 3,
     (const char *const[]){"lt", "lu"},
     (const char *const[]){"a\tb", "\r\n", "\001\177\033[31m", "\302\205\342\200\213|", "1234567\tx", "\t\t"},
     "        t         |        u         \n"
     "------------------+------------------\n"
     " a       b        | \\r              +\n"
     "                  | \n"
     " \\x01\\x7F\\x1B[31m | \\u0085​|\n"
     " 1234567 x        |                 \n"
     "(3 rows)\n"},
    {"no rows", NULL, false, 2, 0,
     (const char *const[]){"la", "rbcd"},
     NULL,
     " a | bcd \n"
     "---+-----\n"
     "(0 rows)\n"},
    {"no columns", NULL, false, 0, 2,
     NULL,
     NULL,
     "--\n"
     "(2 rows)\n"},
    {"no columns, no rows", NULL, false, 0, 0,
     NULL,
     NULL,
     "--\n"
     "(0 rows)\n"},
    {"html is text", NULL, false, 1, 1,
     (const char *const[]){"l<b>"},
     (const char *const[]){"<script>alert('&')</script>"},
     "             <b>             \n"
     "-----------------------------\n"
     " <script>alert('&')</script>\n"
     "(1 row)\n"},
    {"json and arrays", NULL, false, 3, 1,
     (const char *const[]){"lj", "la", "lb"},
     (const char *const[]){"{\n  \"a\": 1\n}", "{1,NULL,\"x y\"}", "t"},
     "    j     |       a        | b \n"
     "----------+----------------+---\n"
     " {       +| {1,NULL,\"x y\"} | t\n"
     "   \"a\": 1+|                | \n"
     " }        |                | \n"
     "(1 row)\n"},
    {"many", NULL, false, 1, 12,
     (const char *const[]){"ri"},
     (const char *const[]){"0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11"},
     " i  \n"
     "----\n"
     "  0\n"
     "  1\n"
     "  2\n"
     "  3\n"
     "  4\n"
     "  5\n"
     "  6\n"
     "  7\n"
     "  8\n"
     "  9\n"
     " 10\n"
     " 11\n"
     "(12 rows)\n"},
    {"mixture 1", "Title", false, 3, 1,
     (const char *const[]){"l🙂", "l ", "la "},
     (const char *const[]){NULL, "bb", ""},
     "     Title\n"
     "  🙂  |    | a  \n"
     "------+----+----\n"
     " NULL | bb | \n"
     "(1 row)\n"},
    {"mixture 2", NULL, false, 1, 1,
     (const char *const[]){"ra"},
     (const char *const[]){"5106"},
     "  a   \n"
     "------\n"
     " 5106\n"
     "(1 row)\n"},
    {"mixture 3", NULL, false, 2, 5,
     (const char *const[]){"l🙂ccc\n", "lé ccc\n"},
     (const char *const[]){"日", NULL, "a|\n\t", "e\314\201日\t", "日é\n", "e\314\201\nbb|é", "-\t", "",
         "ccc\ne\314\201日", "🙂a+"},
     "  🙂ccc  +|  é ccc  +\n"
     "          |          \n"
     "----------+----------\n"
     " 日       | NULL\n"
     " a|      +| é日     \n"
     "          | \n"
     " 日é     +| é       +\n"
     "          | bb|é\n"
     " -        | \n"
     " ccc     +| 🙂a+\n"
     " é日      | \n"
     "(5 rows)\n"},
    {"mixture 4", "Title", false, 5, 2,
     (const char *const[]){"r日日日", "r\tbbbb", "rbba", "r\té🙂", "r\t"},
     (const char *const[]){"63710", NULL, "15953", "51154", "64079", NULL, "71017", "16948", "71119", "53434"},
     "                         Title\n"
     " 日日日 |         bbbb |  bba  |         é🙂 |          \n"
     "--------+--------------+-------+-------------+----------\n"
     "  63710 |         NULL | 15953 |       51154 |    64079\n"
     "   NULL |        71017 | 16948 |       71119 |    53434\n"
     "(2 rows)\n"},
    {"mixture 5", NULL, false, 4, 4,
     (const char *const[]){"lccc\n0", "lccc\n1", "l\na\t", "léa"},
     (const char *const[]){"|日ccc\n-", "++-a", "e\314\201+e\314\201 🙂🙂", "", "a\nbb", "ccc\nbb日", "", NULL, "",
         "abb\n|", "é日|日\t", "\t\t\t\tébb", "日-é\t-", "", "日ccc\n- ", " é+bb-é"},
     "    ccc   +| ccc +|         +|                 éa                  \n"
     "     0     |  1   | a        |                                     \n"
     "-----------+------+----------+-------------------------------------\n"
     " |日ccc   +| ++-a | é+é 🙂🙂 | \n"
     " -         |      |          | \n"
     " a        +| ccc +|          | NULL\n"
     " bb        | bb日 |          | \n"
     "           | abb +| é日|日   |                                 ébb\n"
     "           | |    |          | \n"
     " 日-é    - |      | 日ccc   +|  é+bb-é\n"
     "           |      | -        | \n"
     "(4 rows)\n"},
    {"mixture 6", NULL, false, 2, 2,
     (const char *const[]){"r\n ", "r\n\n\n"},
     (const char *const[]){"63590", "2799", "35624", "24382"},
     "      +|      +\n"
     "       |      +\n"
     "       |      +\n"
     "       |       \n"
     "-------+-------\n"
     " 63590 |  2799\n"
     " 35624 | 24382\n"
     "(2 rows)\n"},
    {"simple", NULL, true, 2, 2,
     (const char *const[]){"rid", "lname"},
     (const char *const[]){"1", "ada", "22", "grace hopper"},
     "-[ RECORD 1 ]------\n"
     "id   | 1\n"
     "name | ada\n"
     "-[ RECORD 2 ]------\n"
     "id   | 22\n"
     "name | grace hopper\n"},
    {"null and empty", NULL, true, 3, 3,
     (const char *const[]){"la", "lb", "rc"},
     (const char *const[]){NULL, "", NULL, "", "x", "5", "NULL", NULL, "-10.50"},
     "-[ RECORD 1 ]\n"
     "a | NULL\n"
     "b | \n"
     "c | NULL\n"
     "-[ RECORD 2 ]\n"
     "a | \n"
     "b | x\n"
     "c | 5\n"
     "-[ RECORD 3 ]\n"
     "a | NULL\n"
     "b | NULL\n"
     "c | -10.50\n"},
    {"lines", NULL, true, 3, 3,
     (const char *const[]){"la", "lb", "rc"},
     (const char *const[]){"one\ntwo", "x", "1", "y", "first\n\nthird\nfourth", "2", "", "end\n", "3"},
     "-[ RECORD 1 ]\n"
     "a | one     +\n"
     "  | two\n"
     "b | x\n"
     "c | 1\n"
     "-[ RECORD 2 ]\n"
     "a | y\n"
     "b | first   +\n"
     "  |         +\n"
     "  | third   +\n"
     "  | fourth\n"
     "c | 2\n"
     "-[ RECORD 3 ]\n"
     "a | \n"
     "b | end     +\n"
     "  | \n"
     "c | 3\n"},
    {"wide characters", NULL, true, 3, 3,
     (const char *const[]){"l名前", "rn", "lx"},
     (const char *const[]){"日本語", "1", "é", "ab", "22", "e\314\201e\314\201", "🙂 ok", "3", "ｆｕｌｌ"},
     "-[ RECORD 1 ]--\n"
     "名前 | 日本語\n"
     "n    | 1\n"
     "x    | é\n"
     "-[ RECORD 2 ]--\n"
     "名前 | ab\n"
     "n    | 22\n"
     "x    | éé\n"
     "-[ RECORD 3 ]--\n"
     "名前 | 🙂 ok\n"
     "n    | 3\n"
     "x    | ｆｕｌｌ\n"},
    {"centred headings", NULL, true, 4, 1,
     (const char *const[]){"labc", "lab", "rlong heading", "lx"},
     (const char *const[]){"123456", "12345", "1", "1"},
     "-[ RECORD 1 ]+-------\n"
     "abc          | 123456\n"
     "ab           | 12345\n"
     "long heading | 1\n"
     "x            | 1\n"},
    {"lines in a heading", NULL, true, 2, 2,
     (const char *const[]){"lfirst\nline", "rb"},
     (const char *const[]){"a", "1", "bb\nc", "2"},
     "-[ RECORD 1 ]\n"
     "first+| a\n"
     "line  |\n"
     "b     | 1\n"
     "-[ RECORD 2 ]\n"
     "first+| bb  +\n"
     "line  | c\n"
     "b     | 2\n"},
    {"short title", "List", true, 2, 1,
     (const char *const[]){"la", "lsome column"},
     (const char *const[]){"1", "2"},
     "List\n"
     "-[ RECORD 1 ]--\n"
     "a           | 1\n"
     "some column | 2\n"},
    {"controls", NULL, true, 2, 3,
     (const char *const[]){"lt", "lu"},
     (const char *const[]){"a\tb", "\r\n", "\001\177\033[31m", "\302\205\342\200\213|", "1234567\tx", "\t\t"},
     "-[ RECORD 1 ]-------\n"
     "t | a       b\n"
     "u | \\r              +\n"
     "  | \n"
     "-[ RECORD 2 ]-------\n"
     "t | \\x01\\x7F\\x1B[31m\n"
     "u | \\u0085​|\n"
     "-[ RECORD 3 ]-------\n"
     "t | 1234567 x\n"
     "u |                 \n"},
    {"no rows", NULL, true, 2, 0,
     (const char *const[]){"la", "rbcd"},
     NULL,
     "(0 rows)\n"},
    {"json and arrays", NULL, true, 3, 1,
     (const char *const[]){"lj", "la", "lb"},
     (const char *const[]){"{\n  \"a\": 1\n}", "{1,NULL,\"x y\"}", "t"},
     "-[ RECORD 1 ]-----\n"
     "j | {             +\n"
     "  |   \"a\": 1      +\n"
     "  | }\n"
     "a | {1,NULL,\"x y\"}\n"
     "b | t\n"},
    {"many", NULL, true, 1, 12,
     (const char *const[]){"ri"},
     (const char *const[]){"0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11"},
     "-[ RECORD 1 ]-\n"
     "i | 0\n"
     "-[ RECORD 2 ]-\n"
     "i | 1\n"
     "-[ RECORD 3 ]-\n"
     "i | 2\n"
     "-[ RECORD 4 ]-\n"
     "i | 3\n"
     "-[ RECORD 5 ]-\n"
     "i | 4\n"
     "-[ RECORD 6 ]-\n"
     "i | 5\n"
     "-[ RECORD 7 ]-\n"
     "i | 6\n"
     "-[ RECORD 8 ]-\n"
     "i | 7\n"
     "-[ RECORD 9 ]-\n"
     "i | 8\n"
     "-[ RECORD 10 ]\n"
     "i | 9\n"
     "-[ RECORD 11 ]\n"
     "i | 10\n"
     "-[ RECORD 12 ]\n"
     "i | 11\n"},
    {"mixture 1", "Title", true, 3, 1,
     (const char *const[]){"l🙂", "l ", "la "},
     (const char *const[]){NULL, "bb", ""},
     "Title\n"
     "-[ RECORD 1 ]\n"
     "🙂 | NULL\n"
     "   | bb\n"
     "a  | \n"},
    {"mixture 2", NULL, true, 1, 1,
     (const char *const[]){"ra"},
     (const char *const[]){"5106"},
     "-[ RECORD 1 ]\n"
     "a | 5106\n"},
    {"mixture 4", "Title", true, 5, 2,
     (const char *const[]){"r日日日", "r\tbbbb", "rbba", "r\té🙂", "r\t"},
     (const char *const[]){"63710", NULL, "15953", "51154", "64079", NULL, "71017", "16948", "71119", "53434"},
     "Title\n"
     "-[ RECORD 1 ]+------\n"
     "日日日       | 63710\n"
     "        bbbb | NULL\n"
     "bba          | 15953\n"
     "        é🙂  | 51154\n"
     "             | 64079\n"
     "-[ RECORD 2 ]+------\n"
     "日日日       | NULL\n"
     "        bbbb | 71017\n"
     "bba          | 16948\n"
     "        é🙂  | 71119\n"
     "             | 53434\n"},
    {"mixture 5", NULL, true, 4, 4,
     (const char *const[]){"lccc\n0", "lccc\n1", "l\na\t", "léa"},
     (const char *const[]){"|日ccc\n-", "++-a", "e\314\201+e\314\201 🙂🙂", "", "a\nbb", "ccc\nbb日", "", NULL, "",
         "abb\n|", "é日|日\t", "\t\t\t\tébb", "日-é\t-", "", "日ccc\n- ", " é+bb-é"},
     "-[ RECORD 1 ]---------------------------------\n"
     "ccc     +| |日ccc                             +\n"
     "0        | -\n"
     "ccc     +| ++-a\n"
     "1        |\n"
     "        +| é+é 🙂🙂\n"
     "a        |\n"
     "éa       | \n"
     "-[ RECORD 2 ]---------------------------------\n"
     "ccc     +| a                                  +\n"
     "0        | bb\n"
     "ccc     +| ccc                                +\n"
     "1        | bb日\n"
     "        +| \n"
     "a        |\n"
     "éa       | NULL\n"
     "-[ RECORD 3 ]---------------------------------\n"
     "ccc     +| \n"
     "0        |\n"
     "ccc     +| abb                                +\n"
     "1        | |\n"
     "        +| é日|日  \n"
     "a        |\n"
     "éa       |                                 ébb\n"
     "-[ RECORD 4 ]---------------------------------\n"
     "ccc     +| 日-é    -\n"
     "0        |\n"
     "ccc     +| \n"
     "1        |\n"
     "        +| 日ccc                              +\n"
     "a        | - \n"
     "éa       |  é+bb-é\n"},
};

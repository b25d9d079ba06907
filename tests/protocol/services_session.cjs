/* A session through @jupyterlab/services, the library that JupyterLab itself speaks to kernels with: two clients on one
 * kernel, results, errors, completion, inspection, stdin, history, interrupt, restart, shutdown. Prints one JSON object, in
 * its last line, of what it saw. Usage: node services_session.cjs SERVER_URL TOKEN */
'use strict';
const { KernelManager, ServerConnection } = require('@jupyterlab/services');

const [baseUrl, token] = process.argv.slice(2);
const serverSettings = ServerConnection.makeSettings({ baseUrl, wsUrl: baseUrl.replace(/^http/, 'ws'), token, appendToken: true });

/* What a cell shows, in order, and its reply. */
async function run(kernel, code, options = {}) {
    const outputs = [];
    const future = kernel.requestExecute({ code, stop_on_error: true, allow_stdin: Boolean(options.answer) });
    future.onIOPub = m => {
        const c = m.content;
        if (m.header.msg_type === 'stream') outputs.push(c.text);
        else if (c.data) outputs.push(c.data['text/plain'] ?? '');
        else if (m.header.msg_type === 'error') outputs.push(c.traceback.join('\n'));
        if (options.onOutput) options.onOutput(outputs);
    };
    future.onStdin = m => kernel.sendInputReply({ status: 'ok', value: options.answer(m.content) }, m.header);
    const reply = await future.done;
    return { status: reply.content.status, count: reply.content.execution_count, ename: reply.content.ename, text: outputs.join('') };
}

async function main() {
    const seen = {};
    const manager = new KernelManager({ serverSettings });
    await manager.ready;
    const kernel = await manager.startNew({ name: 'lakebase' });
    const info = await kernel.info;
    seen.language = info.language_info.name;
    seen.instance = await run(kernel, '%instance create frontends --if-not-exists');
    seen.connect = await run(kernel, '%connect frontends');
    seen.select = await run(kernel, 'SELECT 6 * 7 AS answer;');
    seen.error = await run(kernel, 'SELECT 1 / 0;');
    seen.complete = (await kernel.requestComplete({ code: 'SELECT * FROM pg_catalog.pg_cl', cursor_pos: 30 })).content.matches;
    seen.inspect = (await kernel.requestInspect({ code: 'SELECT lower(', cursor_pos: 10, detail_level: 0 })).content.data['text/plain'];
    seen.unfinished = (await kernel.requestIsComplete({ code: 'SELECT 1' })).content.status;
    const at = (await run(kernel, 'SELECT host(inet_server_addr()) AS h, inet_server_port() AS p;')).text.match(/([0-9.]+) \| +([0-9]+)/);
    const login = `%connect host=${at[1]} port=${at[2]} user=me@example.com dbname=databricks_postgres sslmode=require as asks`;
    seen.prompts = [];
    seen.asked = await run(kernel, login, {
        answer: c => {
            seen.prompts.push(c.password);
            return 'not-the-password';
        }
    });
    const history = await kernel.requestHistory({ hist_access_type: 'tail', n: 1, output: false, raw: true });
    seen.history = history.content.history.map(row => row[2]);

    const second = manager.connectTo({ model: kernel.model });
    await second.info;
    const overheard = [];
    second.anyMessage.connect((_, args) => {
        if (args.direction === 'recv' && args.msg.header.msg_type === 'execute_result') overheard.push(args.msg.content.data['text/plain']);
    });
    await run(kernel, "SELECT 'for both' AS said;");
    seen.fromSecond = await run(second, "SELECT 'and back' AS said;");
    seen.overheard = overheard.join('');

    let stopped = false;
    seen.interrupted = await run(kernel, "SELECT 'begun' AS x; SELECT pg_sleep(600);", {
        onOutput: outputs => {
            if (!stopped && outputs.join('').includes('begun')) {
                stopped = true;
                kernel.interrupt();
            }
        }
    });
    seen.after = await run(kernel, 'SELECT 1 AS still;');
    await kernel.restart();
    seen.restarted = await run(kernel, 'SELECT 1;');
    second.dispose();
    await kernel.shutdown();
    await manager.refreshRunning();
    seen.left = [...manager.running()].length;
    process.stdout.write(`\n${JSON.stringify(seen)}\n`); /* the library logs to stdout too */
    process.exit(0);
}

main().catch(error => {
    process.stderr.write(`${error.stack ?? error}\n`);
    process.exit(1);
});

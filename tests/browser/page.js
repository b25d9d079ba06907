/* What the tests measure inside the page: the notebook's model, and what is really drawn. Only `plant` adds to it. */
(() => {
    const app = () => window.jupyterapp;
    const panel = () => app().shell.currentWidget;
    const session = () => panel()?.sessionContext;
    const element = (index) => panel().content.widgets[index].node;
    const scroller = () => panel().content.node.querySelector('.jp-WindowedPanel-outer') ?? panel().content.node;
    const frames = () => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));

    const sent = new Set(), progress = new Set();
    let ended = 0;

    /* ---- colour: what a letter is drawn in, on what it stands -------------------------------------- */
    const canvas = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
    const rgba = (css) => {
        canvas.clearRect(0, 0, 1, 1);
        canvas.fillStyle = css;
        canvas.fillRect(0, 0, 1, 1);
        const [r, g, b, a] = canvas.getImageData(0, 0, 1, 1).data;
        return [r, g, b, a / 255];
    };
    const over = (top, under) => [0, 1, 2].map((i) => top[i] * top[3] + under[i] * (1 - top[3])).concat(1);
    const ground = (node) => {
        const layers = [];
        for (let at = node; at; at = at.parentElement) layers.push(rgba(getComputedStyle(at).backgroundColor));
        return layers.reverse().reduce((under, top) => over(top, under), [255, 255, 255, 1]);
    };
    const luminance = (colour) => {
        const [r, g, b] = colour.slice(0, 3).map((v) => v / 255)
            .map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const opacity = (node) => {
        let all = 1;
        for (let at = node; at; at = at.parentElement) all *= Number(getComputedStyle(at).opacity);
        return all;
    };
    const contrast = (node) => {
        const back = ground(node);
        const ink = rgba(getComputedStyle(node).color);
        ink[3] *= opacity(node);
        const [low, high] = [luminance(over(ink, back)), luminance(back)].sort((a, b) => a - b);
        return (high + 0.05) / (low + 0.05);
    };
    const drawn = (node) => node.getClientRects().length > 0 && getComputedStyle(node).visibility === 'visible';
    const letters = function* (root) {
        const walk = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
        for (let text; (text = walk.nextNode());)
            if (text.data.trim() && drawn(text.parentElement)) yield text;
    };
    const cellOf = (node) => [...document.querySelectorAll('.jp-Notebook .jp-Cell')].indexOf(node.closest('.jp-Cell'));

    window.labTest = {
        command: async (name, args) => { await app().commands.execute(name, args); },
        kernelReady: () => !!(session()?.isReady && session().session?.kernel?.connectionStatus === 'connected'),
        kernelStatus: () => session()?.session?.kernel?.status ?? 'none',
        cells: () => panel().content.model.sharedModel.cells.map((cell) => cell.toJSON()),
        count: (index) => panel().content.model.cells.get(index).executionCount ?? 0,
        dirty: () => panel().context.model.dirty,
        blur: () => document.activeElement?.blur(),

        /* ---- a run of all cells -------------------------------------------------------------------- */
        /* To be called once the kernel is there: notes which requests to run a cell still wait for their last
         * message, and which cells ever show a progress bar. (The command that runs all cells says done too early:
         * at the first cell that shows an error.) */
        watch: () => {
            const kernel = session().session.kernel;
            kernel.anyMessage.connect((_, { msg, direction }) => {
                if (direction === 'send' && msg.header.msg_type === 'execute_request') sent.add(msg.header.msg_id);
            });
            kernel.iopubMessage.connect((_, msg) => {
                if (msg.header.msg_type === 'status' && msg.content.execution_state === 'idle'
                    && sent.delete(msg.parent_header.msg_id)) ended++;
            });
            new MutationObserver(() => {
                for (const bar of document.querySelectorAll('.jp-OutputArea-output progress')) progress.add(cellOf(bar));
            }).observe(panel().content.node, { childList: true, subtree: true });
        },
        idle: () => sent.size === 0 && window.labTest.kernelStatus() === 'idle',
        ended: () => ended,
        progressSeen: () => [...progress],

        /* ---- looks --------------------------------------------------------------------------------- */
        themeIs: (name) => {
            const probe = document.body.dataset;
            const light = luminance(rgba(getComputedStyle(document.body).getPropertyValue('--jp-layout-color0').trim()));
            return probe.jpThemeName === name && (probe.jpThemeLight === 'true') === (light > 0.5);
        },
        laidOut: async (width) => {
            await frames();
            const box = panel().node.getBoundingClientRect();
            return window.innerWidth === width && box.right <= width + 1 && box.width > width / 3;
        },
        windows: () => Math.ceil(scroller().scrollHeight / scroller().clientHeight),
        /* Brings a cell to the upper edge of the window. */
        bring: async (index) => {
            const by = element(index).getBoundingClientRect().top - scroller().getBoundingClientRect().top;
            scroller().scrollTop += by - 10;
            await frames();
        },
        scrollTo: async (number) => {
            scroller().scrollTop = number * scroller().clientHeight;
            await frames();
        },
        /* Texts under the wanted contrast below `selector`: [cell, ratio, text, element]. */
        faint: (selector, wanted) => {
            const found = [];
            for (const root of document.querySelectorAll(selector))
                for (const text of letters(root)) {
                    const ratio = contrast(text.parentElement);
                    if (ratio < wanted)
                        found.push([cellOf(root), Number(ratio.toFixed(2)), text.data.trim().slice(0, 40),
                            `${text.parentElement.localName}.${text.parentElement.className}`]);
                }
            return found;
        },
        /* How many letters `faint` would look at: a check of nothing is no check. */
        textsUnder: (selector) => [...document.querySelectorAll(selector)]
            .reduce((sum, root) => sum + [...letters(root)].length, 0),
        /* The page and the notebook stay inside their width; what is wider in an output can be scrolled to. */
        overflow: () => {
            const wide = [];
            const root = document.documentElement;
            if (root.scrollWidth > root.clientWidth) wide.push(['page', root.scrollWidth, root.clientWidth]);
            const edge = scroller().getBoundingClientRect().left + scroller().clientWidth + 1;
            const reachable = (node) => {
                for (let at = node; at && at !== scroller(); at = at.parentElement)
                    if (getComputedStyle(at).overflowX !== 'visible') return true;
                return false;
            };
            for (const node of scroller().querySelectorAll('.jp-Cell *')) {
                if (!drawn(node)) continue;
                if (node.getBoundingClientRect().right > edge && !reachable(node))
                    wide.push([cellOf(node), 'past the edge', `${node.localName}.${node.getAttribute('class') ?? ''}`]);
                if (!node.closest('.jp-OutputArea-output')) continue;
                if (node.scrollWidth > node.clientWidth + 1 && getComputedStyle(node).overflowX === 'hidden')
                    wide.push([cellOf(node), 'cut off']);
            }
            return wide;
        },
        /* Pictures of the text cells that did not load, and how many there are. */
        pictures: async () => {
            const all = [...document.querySelectorAll('.jp-MarkdownOutput img')];
            await Promise.all(all.map((img) => img.decode().catch(() => null)));
            return { all: all.length, broken: all.filter((img) => !img.naturalWidth).map((img) => img.getAttribute('src')) };
        },
        /* Each table in the outputs: its column names, and how its data cells are aligned. */
        tables: () => [...document.querySelectorAll('.jp-OutputArea-output table')].map((table) => ({
            head: [...table.querySelectorAll('thead th')].map((th) => th.textContent),
            align: [...table.querySelectorAll('tbody tr:first-child td')].map((td) => getComputedStyle(td).textAlign),
        })),
        /* What is to be read in the outputs of a cell. */
        text: (index) => [...element(index).querySelectorAll('.jp-OutputArea-output')].map((o) => o.innerText).join('\n'),
        /* Puts HTML where an output of the cell stands, so that a test can see a measurement find a fault; "": away. */
        plant: (index, html) => {
            element(index).querySelector('.planted')?.remove();
            if (!html) return;
            const output = document.createElement('div');
            output.className = 'jp-OutputArea-output planted';
            output.innerHTML = html;
            element(index).append(output);
        },
        /* What completion offers: the list, or the words of the cell when it was changed; null when neither is there. */
        completed: (index, before) => {
            const items = [...document.querySelectorAll('.jp-Completer:not(.lm-mod-hidden) .jp-Completer-item')];
            if (items.length) return items.map((item) => item.querySelector('.jp-Completer-match')?.textContent ?? '');
            const now = element(index).querySelector('.cm-content').innerText;
            return now === before ? null : now.split(/\s+/);
        },
        /* How each data cell of the tables in a cell's output looks. */
        look: (index) => [...element(index).querySelectorAll('.jp-OutputArea-output tbody td')].map((td) => {
            const inner = td.firstElementChild ?? td;
            const style = getComputedStyle(inner);
            return { text: td.textContent, tag: inner.localName, colour: style.color, slant: style.fontStyle,
                     weight: style.fontWeight, size: style.fontSize, align: getComputedStyle(td).textAlign };
        }),
        /* Where a line of carets stands: the letter above it and both positions, in the output of an error. */
        caret: (index) => {
            for (const pre of element(index).querySelectorAll('.jp-OutputArea-output pre')) {
                const places = [];
                for (const text of letters(pre))
                    for (let i = 0; i < text.data.length; i++) {
                        const range = document.createRange();
                        range.setStart(text, i);
                        range.setEnd(text, i + 1);
                        const box = range.getBoundingClientRect();
                        if (box.width) places.push({ letter: text.data[i], left: box.left, top: box.top, width: box.width });
                    }
                const caret = places.find((place) => place.letter === '^');
                if (!caret) continue;
                const rows = [...new Set(places.map((place) => Math.round(place.top)))].sort((a, b) => a - b);
                const above = rows[rows.indexOf(Math.round(caret.top)) - 1];
                const line = places.filter((place) => Math.round(place.top) === above);
                const widths = new Set(line.map((place) => place.width.toFixed(1)));
                const start = line.findIndex((place) => Math.abs(place.left - caret.left) < 1);
                return { line: line.map((place) => place.letter).join(''), widths: widths.size,
                         from: start < 0 ? null : line.slice(start).map((place) => place.letter).join('') };
            }
            return null;
        },
    };
})();

// The study of DIT: hundreds of weight diffs of pocket-chat, adapters that read them, and everything that has to be told apart from reading; writes docs/dit.md and
// its drawing, and goes on where it stopped.
// npm run dit -- --work DIR [--base pocket-chat --base DIR …] [--out DIR --page FILE]: hours on a CPU adapter
// npm run dit -- --quick: minutes; prints a table of a few diffs, and writes nothing
import path from 'node:path';
import { parseArgs } from 'node:util';
import { openNodeGpu } from '@limn/gpu/node';
import { chatWorld } from '@limn/tasks/chat';
import { POCKET_CHAT } from 'limn';
import { CURVE, curveDrawing } from './dit/drawing.mjs';
import { ditMarkdown } from './dit/markdown.mjs';
import { quickTable } from './dit/quick.mjs';
import { wholeStudy } from './dit/whole.mjs';
import { RESULTS, save } from './result-file.mjs';

/** Another of the same recipe, from the root, where npm runs this. */
const SECOND_BASE = 'bench/bases/pocket-chat-seed-1';

const { values: options } = parseArgs({
  options: {
    work: { type: 'string' },
    quick: { type: 'boolean', default: false },
    base: { type: 'string', multiple: true, default: [POCKET_CHAT, SECOND_BASE] },
    out: { type: 'string', default: RESULTS },
    page: { type: 'string', default: path.join(import.meta.dirname, '../docs/dit.md') },
  },
});
const { work, quick, base: bases, out, page } = options;
if (work === undefined && !quick) throw new Error('--work DIR says where diffs and checkpoints go; --quick needs none');

const gpu = await openNodeGpu({ label: 'dit' });
const world = chatWorld();
if (work === undefined) console.log(await quickTable(gpu, world));
else {
  const { study, file } = await wholeStudy(gpu, world, { work, bases, out });
  save(page, ditMarkdown(study));
  save(path.join(path.dirname(page), CURVE), curveDrawing(study));
  console.log(`written to ${path.relative(process.cwd(), file)} and ${path.relative(process.cwd(), page)}`);
}
gpu.dispose();

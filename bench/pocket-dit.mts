// The adapter and the diffs that come with pocket-chat: the adapter that the study of DIT had trained by `limn dit train`, and some of the diffs that it was measured on.
// npm run pocket-chat:dit -- --work DIR [--out DIR], behind `npm run dit -- --work DIR`
import { copyFileSync, mkdirSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { POCKET_CHAT, openPack, savePack } from 'limn';
import { ditAdapterFolder, ditDiffsFolder } from '@limn/pocket/chat';
import { adapterCard } from './dit/adapter-card.mjs';
import { commandFigures } from './dit/commands.mjs';
import { FULL } from './dit/plan.mjs';
import { save } from './result-file.mjs';

/** Every so manieth diff of a pack of the tests. */
const KEPT = { test: 8, 'generic-test': 9 } as const;
const ADAPTER_FILES = ['adapter_config.json', 'adapter_model.safetensors', 'dit.json'] as const;

const { values: options } = parseArgs({
  options: { work: { type: 'string' }, out: { type: 'string' } },
});
if (options.work === undefined) throw new Error('--work DIR is where `npm run dit` left packs and the adapter');
const folder = path.join(options.work, POCKET_CHAT);
const [diffs, adapter] =
  options.out === undefined
    ? [fileURLToPath(ditDiffsFolder()), fileURLToPath(ditAdapterFolder())]
    : [path.join(options.out, 'diffs'), path.join(options.out, 'adapter')];

const figures = await commandFigures(POCKET_CHAT, folder, FULL);
mkdirSync(adapter, { recursive: true });
for (const name of ADAPTER_FILES) copyFileSync(path.join(folder, 'adapter', name), path.join(adapter, name));
const kept = [];
for (const [pack, every] of Object.entries(KEPT))
  kept.push(...(await openPack(path.join(folder, pack))).filter((_, i) => i % every === 0));
mkdirSync(diffs, { recursive: true });
await savePack(diffs, kept);
save(
  path.join(adapter, 'README.md'),
  adapterCard(
    figures,
    kept.map(({ spec }) => spec.id),
    FULL,
  ),
);
console.log(`${kept.length} diffs and the adapter are in ${path.dirname(diffs)}`);

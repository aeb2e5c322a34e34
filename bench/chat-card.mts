// The figures of pocket-chat's model card, from the committed weights: written into the model folder as JSON and into its README.
// npm run chat-card
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { openNodeGpu } from '@limn/gpu/node';
import { chatFigures, chatModelFolder, chatRequirements } from '@limn/pocket/chat';
import { openModel, version } from 'limn';
import { chatCardMarkdown, type ChatCard } from './card/chat-markdown.mjs';
import { logitsAfterOf } from './card/model-figures.mjs';
import { withBlock } from './marked-block.mjs';

const folder = fileURLToPath(chatModelFolder());
const { values: options } = parseArgs({
  options: {
    model: { type: 'string', default: folder },
    out: { type: 'string', default: folder },
    topics: { type: 'string', default: '800' },
  },
});

const gpu = await openNodeGpu({ label: 'chat card' });
const model = await openModel(gpu, options.model);
const { adapter } = gpu.capabilities;
const figures = await chatFigures(logitsAfterOf(model.hooked), {
  topics: Number(options.topics),
  onProgress: (what) => console.log(what),
});
const card: ChatCard = {
  weightsSha256: model.hooked.info.fingerprint,
  adapter: adapter.description || adapter.device,
  limn: version,
  figures,
  requirements: chatRequirements(figures),
};
const readme = `${options.out}/README.md`;
const markdown = chatCardMarkdown(card);
writeFileSync(`${options.out}/figures.json`, `${JSON.stringify(card, undefined, 1)}\n`);
writeFileSync(
  readme,
  withBlock(existsSync(readme) ? readFileSync(readme, 'utf8') : '# pocket-chat\n', 'npm run chat-card', markdown),
);
console.log(`\n${markdown}\nwritten to ${readme} and figures.json`);
const missed = card.requirements.filter(({ met }) => !met);
if (missed.length > 0) console.log(`${missed.length} of ${card.requirements.length} requirements are missed`);
model[Symbol.dispose]();
gpu.dispose();

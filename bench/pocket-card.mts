// The figures of pocket's model card, on held-out prompts, from the committed weights: written into the model folder as JSON and into its README.
// npm run card
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { openNodeGpu } from '@limn/gpu/node';
import { RECIPE, ablationFigures, modelFolder, pocketFigures, requirements } from '@limn/pocket';
import { openModel, POCKET, version } from 'limn';
import { cardMarkdown, type Card } from './card/markdown.mjs';
import { corpusLossOf, logitsAfterOf } from './card/model-figures.mjs';
import { withBlock } from './marked-block.mjs';

const { values: options } = parseArgs({
  options: {
    model: { type: 'string', default: POCKET },
    out: { type: 'string', default: fileURLToPath(modelFolder()) },
    sequences: { type: 'string', default: '256' },
  },
});

const gpu = await openNodeGpu({ label: 'card' });
const model = await openModel(gpu, options.model);
const { adapter } = gpu.capabilities;
const figures = await pocketFigures(logitsAfterOf(model.hooked), {
  onProgress: (done, total, what) => console.log(`${done}/${total} ${what}`),
});
console.log('ablating every MLP and head …');
const ablation = await ablationFigures(corpusLossOf(model.hooked), RECIPE.model, Number(options.sequences));
const card: Card = {
  weightsSha256: model.hooked.info.fingerprint,
  adapter: adapter.description || adapter.device,
  limn: version,
  figures,
  ablation,
  requirements: requirements(figures, ablation),
};

writeFileSync(`${options.out}/figures.json`, `${JSON.stringify(card, undefined, 1)}\n`);
const readme = `${options.out}/README.md`;
const markdown = cardMarkdown(card);
writeFileSync(
  readme,
  withBlock(existsSync(readme) ? readFileSync(readme, 'utf8') : '# pocket\n', 'npm run card', markdown),
);
console.log(`\n${markdown}\nwritten to ${readme} and figures.json`);
const missed = card.requirements.filter(({ met }) => !met);
if (missed.length > 0) console.log(`${missed.length} of ${card.requirements.length} requirements are missed`);
model[Symbol.dispose]();
gpu.dispose();

// What steering towards parity does to pocket's gendered professions: the gap between he and she before and after on professions that were never seen, what is
// kept, what breaks and what it spills over to, with and without a retention set, over several seeds; writes docs/bias.md. Goes on where it stopped: every
// finished row of a seed is kept in bench/results.
// npm run bias [-- --model pocket --model DIR --updates 120 --seed 0 … --most 144 --controls 30 --out DIR --page FILE]
import path from 'node:path';
import { parseArgs } from 'node:util';
import { openNodeGpu } from '@limn/gpu/node';
import { openModel, POCKET, version } from 'limn';
import { whole } from './arguments.mjs';
import { learnRow } from './bias/learnt.mjs';
import { biasMarkdown } from './bias/markdown.mjs';
import { biasPrompts } from './bias/prompts.mjs';
import { BIAS_ROWS, type BiasFinding, type BiasStudy } from './bias/study.mjs';
import { keptStudy, onTheseWeights, wanted } from './kept-study.mjs';
import { adapterName, RESULTS, save } from './result-file.mjs';

const { values: options } = parseArgs({
  options: {
    updates: { type: 'string', default: '120' },
    most: { type: 'string', default: '144' },
    controls: { type: 'string', default: '30' },
    seed: { type: 'string', multiple: true, default: ['0', '1', '2', '3', '4'] },
    model: { type: 'string', multiple: true, default: [POCKET] },
    out: { type: 'string', default: RESULTS },
    page: { type: 'string', default: path.join(import.meta.dirname, '../docs/bias.md') },
  },
});
const most = { part: whole(options.most), controls: whole(options.controls) };

const gpu = await openNodeGpu({ label: 'bias' });
const { adapter, source } = gpu.capabilities;
const header = {
  study: 'limn.bias',
  version: 1,
  adapter: adapter.description || adapter.device,
  limn: version,
  updates: whole(options.updates),
} as const;
const file = path.join(options.out, `bias-${adapterName(source, header.adapter)}.json`);
const seeds = options.seed.map(whole);
const kept = keptStudy<BiasStudy>(file, header);
let study: BiasStudy = {
  ...header,
  seeds,
  models: [],
  findings: wanted(kept?.findings, { models: options.model, seeds }),
};

for (const name of options.model) {
  const model = await openModel(gpu, name);
  const own = { name, weightsSha256: model.hooked.info.fingerprint };
  study = { ...study, models: [...study.models, own], findings: onTheseWeights(study.findings, kept, own) };
  for (const seed of study.seeds) {
    const prompts = biasPrompts(seed, most);
    const { split, given } = prompts;
    const of = (each: BiasFinding): boolean => each.model === name && each.seed === seed;
    const begun = study.findings.find(of) ?? {
      model: name,
      seed,
      prompts: {
        train: split.train.length,
        validation: split.validation.length,
        test: split.test.length,
        retained: { train: given.train.length, validation: given.validation.length, test: given.test.length },
      },
      rows: [],
    };
    const others = study.findings.filter((each) => !of(each));
    let { rows } = begun;
    for (const { method, retention } of BIAS_ROWS) {
      if (rows.some((row) => row.method === method && row.retention === retention)) continue;
      const started = performance.now();
      const row = await learnRow(model.hooked, prompts, { method, retention, updates: header.updates, seed });
      rows = [...rows, row];
      study = { ...study, findings: [...others, { ...begun, rows }] };
      save(file, `${JSON.stringify(study, undefined, 1)}\n`);
      const seconds = ((performance.now() - started) / 1000).toFixed(0);
      console.log(`${name}, seed ${seed}, ${method}, retained ${retention}: ${seconds} s`);
    }
  }
  model[Symbol.dispose]();
}
save(file, `${JSON.stringify(study, undefined, 1)}\n`);
save(options.page, biasMarkdown(study));
console.log(`written to ${path.relative(process.cwd(), file)} and ${path.relative(process.cwd(), options.page)}`);
gpu.dispose();

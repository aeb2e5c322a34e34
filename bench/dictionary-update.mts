// A training update of one layer's dictionary at GPT-2 small's width and a real number of features, at WebGPU's default limits: bytes, time, and
// tokens/s beside PyTorch making the same update, in turns.
import path from 'node:path';
import { formatBytes } from '@limn/gpu';
import { whole } from './arguments.mjs';
import { command, WrongArguments } from './command.mjs';
import { openAtDefaultLimits } from './default-limits.mjs';
import { measureUpdate, type MeasuredUpdate } from './dictionary-update/measured.mjs';
import { recordFile, type UpdateRecord } from './dictionary-update/record.mjs';
import { FORMS, updateSpec, type UpdateForm } from './dictionary-update/spec.mjs';
import { openPytorch } from './peers/pytorch.mjs';
import { adapterName, makeFolder, RESULTS, save } from './result-file.mjs';

const DEFAULTS = { tokens: '1024', width: '768', features: '24576', k: '32' } as const;
const USAGE = `npm run dictionary-update [-- --form ${FORMS.join('|')} --rounds 5 --out DIR --tokens 1024 --width 768 --features 24576 --k 32]
LIMN_ADAPTER=swiftshader|system|auto says on which adapter. PyTorch takes part where python3, or what PYTHON names, has it.`;

const text = (value: string) => ({ type: 'string', default: value }) as const;
const options = {
  form: text('top-k'),
  rounds: text('5'),
  out: text(RESULTS),
  tokens: text(DEFAULTS.tokens),
  width: text(DEFAULTS.width),
  features: text(DEFAULTS.features),
  k: text(DEFAULTS.k),
} as const;

await command(USAGE, { options }, async ({ values: asked }) => {
  const form = FORMS.find((name): name is UpdateForm => name === asked.form);
  if (!form) throw new WrongArguments(`there is no form '${asked.form}': --form takes ${FORMS.join(', ')}`);
  const sizes = {
    tokens: whole(asked.tokens),
    width: whole(asked.width),
    features: whole(asked.features),
    k: whole(asked.k),
  };
  const isOther = Object.entries(DEFAULTS).some(([name, value]) => asked[name as keyof typeof DEFAULTS] !== value);
  makeFolder(asked.out);
  using gpu = await openAtDefaultLimits('dictionary update');
  const { adapter, source } = gpu.capabilities;
  const description = adapter.description || adapter.device;
  const { tokens, width, features } = sizes;
  console.log(
    `${form}, ${width} → ${features} → ${width}, ${tokens} tokens an update, on ${description} (${source}), every limit at WebGPU's default`,
  );
  const pytorch = await openPytorch()();
  if ('missing' in pytorch) console.log(`not measured: ${pytorch.missing}`);
  try {
    const rounds = whole(asked.rounds);
    const found = await measureUpdate(gpu, updateSpec(form, sizes), {
      rounds,
      ...('missing' in pytorch ? {} : { pytorch }),
      say: (line) => console.log(line),
    });
    lines(found).forEach((line) => console.log(line));
    const record: UpdateRecord = {
      adapter: description,
      source,
      limits: 'default',
      form,
      sizes,
      rounds,
      ...('missing' in pytorch ? { missing: pytorch.missing } : {}),
      ...found,
    };
    const file = path.join(asked.out, recordFile(form, adapterName(source, description), isOther));
    save(file, `${JSON.stringify(record, undefined, 1)}\n`);
    console.log(`written to ${path.relative(process.cwd(), file)}`);
    return 0;
  } finally {
    if (!('missing' in pytorch)) await pytorch.close();
  }
});

function lines({ bytes, flops, dispatches, submits, made, by }: MeasuredUpdate): string[] {
  const seconds = (milliseconds: number): string => `${(milliseconds / 1e3).toPrecision(3)} s`;
  return [
    `bytes: weights ${formatBytes(bytes.weights)}, Adam's moments and counters ${formatBytes(bytes.state)}, rows ${formatBytes(bytes.rows)}, the step ${formatBytes(bytes.step)} (at best ${formatBytes(bytes.stepBound)})`,
    `planned ${formatBytes(bytes.planned)}; allocated at most ${formatBytes(bytes.allocated)}`,
    `an update: ${(flops / 1e9).toFixed(1)} GFLOP, ${dispatches} dispatches, ${submits} submits; ${made.buffers} buffers, ${made.bindGroups} bind groups, ${made.pipelines} pipelines made`,
    ...by.map(
      ({ name, wall, cpu, tokensPerSecond, ratio }) =>
        `${name}: ${seconds(wall.median)} (${seconds(cpu.median)} of CPU time), ${tokensPerSecond.wall.toFixed(0)} tokens/s${
          ratio
            ? `; limn makes ${ratio.wall.median.toPrecision(3)} of its tokens/s (${ratio.cpu.median.toPrecision(3)} by CPU time)`
            : ''
        }`,
    ),
  ];
}

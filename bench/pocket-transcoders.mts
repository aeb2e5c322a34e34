// The transcoders that come with pocket: trained by `limn transcode train`, with its model card and what the study of kinds and sparsities says beside.
// npm run pocket:transcoders -- --work DIR [--out DIR --study FILE] goes on where it stopped; with --card only the card is written again, from what was measured.
import { execFileSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, readFileSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { transcodersFolder } from '@limn/pocket';
import { dictionariesFromJson } from '@limn/report';
import { withBlock } from './marked-block.mjs';
import { RESULTS, save } from './result-file.mjs';
import { setCard } from './transcoders/set-card.mjs';
import type { TranscoderStudy } from './transcoders/study.mjs';

/** Everything that the set depends on besides pocket and its corpus. */
const TRAINING = {
  k: '16',
  expansion: '8',
  tokens: '2048000',
  batch: '1024',
  rate: '0.002',
  auxiliary: '0.25',
  'dead-after': '20000',
  seed: '0',
  sequences: '256',
} as const;

const { values: options } = parseArgs({
  options: {
    work: { type: 'string' },
    out: { type: 'string', default: fileURLToPath(transcodersFolder()) },
    study: { type: 'string', default: path.join(RESULTS, 'transcoders-lavapipe.json') },
    card: { type: 'boolean', default: false },
  },
});
const { work, out, study, card } = options;

if (!card) {
  if (work === undefined) throw new Error('--work DIR says where checkpoints and the report go');
  const words = Object.entries(TRAINING).flatMap(([name, value]) => [`--${name}`, value]);
  const resume = existsSync(path.join(work, 'training.json')) ? ['--resume'] : [];
  const limn = path.join(import.meta.dirname, '../packages/limn/bin/limn.js');
  execFileSync(
    process.execPath,
    [limn, 'transcode', 'train', '--model', 'pocket', ...words, '--interpretability', '--out', work, ...resume],
    { stdio: 'inherit' },
  );
  mkdirSync(out, { recursive: true });
  for (const name of readdirSync(work))
    if (/^(config\.json|result\.json|README\.md|.*\.safetensors)$/.test(name))
      copyFileSync(path.join(work, name), path.join(out, name));
}
const readme = path.join(out, 'README.md');
const record = dictionariesFromJson(readFileSync(path.join(out, 'result.json'), 'utf8'));
const kinds = JSON.parse(readFileSync(study, 'utf8')) as TranscoderStudy;
save(readme, withBlock(readFileSync(readme, 'utf8'), 'npm run pocket:transcoders', setCard(record, kinds)));
console.log(`written to ${path.relative(process.cwd(), out)}`);

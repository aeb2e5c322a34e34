// The transcoders that come with pocket: trained by `limn transcode train`, with its model card and what the study of kinds and sparsities says beside.
// npm run pocket:transcoders -- --work DIR [--out DIR --study FILE] goes on where it stopped; with --card only the card is written again, from what was measured.
import { execFileSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, readFileSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { transcodersFolder } from '@limn/pocket';
import { dictionariesFromJson, type DictionariesRecord } from '@limn/report';
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

/** SAEs that saw as much, of which only the figures are kept. */
const SAE_RESULT = 'sae-result.json';

if (!card) {
  if (work === undefined) throw new Error('--work DIR says where checkpoints and reports go');
  const [set, saes] = [
    trainedIn(path.join(work, 'transcoder'), 'transcoder'),
    trainedIn(path.join(work, 'sae'), 'sae'),
  ];
  mkdirSync(out, { recursive: true });
  const words = (name: string, from: string): string =>
    readFileSync(path.join(from, name), 'utf8').replaceAll(`--out ${from}`, '--out DIR');
  for (const name of readdirSync(set)) {
    if (name.endsWith('.safetensors')) copyFileSync(path.join(set, name), path.join(out, name));
    if (['config.json', 'result.json', 'README.md'].includes(name)) save(path.join(out, name), words(name, set));
  }
  save(path.join(out, SAE_RESULT), words('result.json', saes));
}
const recordOf = (name: string): DictionariesRecord => dictionariesFromJson(readFileSync(path.join(out, name), 'utf8'));
const readme = path.join(out, 'README.md');
const kinds = JSON.parse(readFileSync(study, 'utf8')) as TranscoderStudy;
const block = setCard(recordOf('result.json'), recordOf(SAE_RESULT), kinds);
save(readme, withBlock(readFileSync(readme, 'utf8'), 'npm run pocket:transcoders', block));
console.log(`written to ${path.relative(process.cwd(), out)}`);

/** The folder, with a finished training of one kind in it. */
function trainedIn(folder: string, kind: 'transcoder' | 'sae'): string {
  const about = path.join(folder, 'training.json');
  const state = existsSync(about)
    ? (JSON.parse(readFileSync(about, 'utf8')) as { readonly state: string }).state
    : 'none';
  if (state === 'finished') return folder;
  const words = Object.entries(TRAINING).flatMap(([name, value]) => [`--${name}`, value]);
  const resume = state === 'none' ? [] : ['--resume'];
  const limn = path.join(import.meta.dirname, '../packages/limn/bin/limn.js');
  execFileSync(
    process.execPath,
    [
      limn,
      'transcode',
      'train',
      '--model',
      'pocket',
      '--kind',
      kind,
      ...words,
      '--interpretability',
      '--out',
      folder,
      ...resume,
    ],
    { stdio: 'inherit' },
  );
  return folder;
}

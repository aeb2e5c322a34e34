// What the tests of `limn transcode` train on and into: a folder with the toy model and texts of token ids, and a set that is trained once.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { runLimn, type Outcome } from './run-limn.js';
import { writeToyModel } from './toy-model.js';

const key = Symbol.for('limn.test.transcode-runs');
const shared = globalThis as { [key]?: TranscodeRuns };

/** The folder of this process, which all test files share. */
export function transcodeRuns(): TranscodeRuns {
  return (shared[key] ??= new TranscodeRuns());
}

class TranscodeRuns {
  readonly root = mkdtempSync(path.join(os.tmpdir(), 'limn-transcode-'));
  readonly model = path.join(this.root, 'model');
  /** Sixty texts of three to five tokens, and forty of other tokens. */
  readonly text = path.join(this.root, 'text.jsonl');
  readonly general = path.join(this.root, 'general.jsonl');
  #first: Promise<Outcome> | undefined;

  constructor() {
    writeToyModel(this.model);
    const lines = (count: number, id: (i: number, t: number) => number): string =>
      Array.from({ length: count }, (_, i) =>
        JSON.stringify(Array.from({ length: 3 + (i % 3) }, (_id, t) => id(i, t) % 11)),
      ).join('\n');
    writeFileSync(
      this.text,
      lines(60, (i, t) => i * 3 + t * t + Math.floor(i / 7)),
    );
    writeFileSync(
      this.general,
      lines(40, (i, t) => i * 5 + t),
    );
    process.once('exit', () => rmSync(this.root, { recursive: true, force: true }));
    // Vitest ends its worker so, which has no exit unless somebody listens.
    process.once('SIGTERM', () => process.exit(143));
  }

  /** `limn transcode train` of thirty updates of 32 tokens into the folder `out`. */
  words(out: string, ...more: readonly string[]): string[] {
    const places = ['--model', this.model, '--text', this.text, '--out', this.at(out), '--json'];
    const sizes = [
      '--features',
      '24',
      '--tokens',
      '960',
      '--batch',
      '32',
      '--rate',
      '0.01',
      '--checkpoint-every',
      '10',
    ];
    return ['transcode', 'train', ...places, ...sizes, ...more];
  }

  /** The set that most tests are about. */
  first(): Promise<Outcome> {
    return (this.#first ??= runLimn(this.words('first', ...this.relu)));
  }

  /** Features that cost next to nothing, beside other text. */
  get relu(): readonly string[] {
    return ['--activation', 'relu', '--l1', '0.0001', '--initial', 'tied', '--general', this.general];
  }

  at(...names: readonly string[]): string {
    return path.join(this.root, ...names);
  }

  json(...names: readonly string[]): Record<string, unknown> {
    return JSON.parse(readFileSync(this.at(...names), 'utf8')) as Record<string, unknown>;
  }
}

// What the tests of `limn features` read: the toy model in a folder, and a set of random transcoders for it, with an SAE beside them.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { randomUniform } from '@limn/tensor';
import { lentGpu } from '@limn/testing';
import { writeDictionarySet, type DictionaryConfig, type SetMember } from '@limn/transcoders';
import { saveDictionaryFiles } from '../src/dictionary-files.js';
import { openModel } from '../src/model-source.js';
import { writeToyModel } from './toy-model.js';

const key = Symbol.for('limn.test.features-runs');
const shared = globalThis as { [key]?: Promise<FeaturesRuns> };

/** The folder of this process, which all test files share. */
export function featuresRuns(): Promise<FeaturesRuns> {
  return (shared[key] ??= FeaturesRuns.make());
}

/** A random member; about a third of its features fire. */
export function randomMember(width: number, layer: number, options: Partial<DictionaryConfig> = {}): SetMember {
  const config: DictionaryConfig = {
    layer,
    input: 'ln2.hook_normalized',
    inputWidth: width,
    outputWidth: width,
    features: 12,
    activation: { kind: 'relu' },
    skip: false,
    ...options,
  };
  const F = config.features;
  let drawn = 0;
  const draw = (count: number, size: number, middle = 0): Float32Array =>
    Float32Array.from({ length: count }, () => middle + size * (2 * randomUniform(layer + 5, 1, drawn++) - 1));
  return {
    config,
    weights: {
      wEnc: draw(F * width, 0.6),
      bEnc: draw(F, 0.5, -0.3),
      wDec: draw(F * width, 0.5),
      bDec: draw(width, 0.3),
      ...(config.skip ? { wSkip: draw(width * width, 0.2) } : {}),
    },
  };
}

class FeaturesRuns {
  readonly root = mkdtempSync(path.join(os.tmpdir(), 'limn-features-'));
  readonly model = path.join(this.root, 'model');
  readonly set = path.join(this.root, 'set');
  readonly text = path.join(this.root, 'text.jsonl');

  static async make(): Promise<FeaturesRuns> {
    const runs = new FeaturesRuns();
    process.once('exit', () => rmSync(runs.root, { recursive: true, force: true }));
    // Vitest ends its worker so, which has no exit unless somebody listens.
    process.once('SIGTERM', () => process.exit(143));
    writeToyModel(runs.model);
    const lines = Array.from({ length: 24 }, (_, i) =>
      JSON.stringify(Array.from({ length: 4 }, (_id, t) => (i * 3 + t * t + Math.floor(i / 7)) % 11)),
    );
    writeFileSync(runs.text, lines.join('\n'));
    await runs.writeSet('set', [
      randomMember(8, 0, { skip: true }),
      randomMember(8, 1),
      randomMember(8, 1, { input: 'hook_mlp_out', activation: { kind: 'top-k', k: 3 } }),
    ]);
    return runs;
  }

  /** A set for the toy model. */
  async writeSet(name: string, members: readonly SetMember[]): Promise<void> {
    using gpu = await lentGpu();
    using model = await openModel(gpu, this.model);
    await saveDictionaryFiles(this.at(name), writeDictionarySet(members, { model: model.hooked.info }));
  }

  /** `limn features …` on the model and the set. */
  words(command: string, ...more: readonly string[]): string[] {
    return ['features', command, '--model', this.model, '--transcoders', this.set, '--json', ...more];
  }

  at(...names: readonly string[]): string {
    return path.join(this.root, ...names);
  }

  json<T>(...names: readonly string[]): T {
    return JSON.parse(readFileSync(this.at(...names), 'utf8')) as T;
  }
}

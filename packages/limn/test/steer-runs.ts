// What the tests of `limn steer` learn from and into: a folder with the toy model and prompts, and steerings that are learnt once, by whoever asks first.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { runLimn, type Outcome } from './run-limn.js';
import { writeToyModel } from './toy-model.js';

const key = Symbol.for('limn.test.steer-runs');
const shared = globalThis as { [key]?: SteerRuns };

/** The folder of this process, which all test files share: learning is most of what they take. */
export function steerRuns(): SteerRuns {
  return (shared[key] ??= new SteerRuns());
}

class SteerRuns {
  readonly root = mkdtempSync(path.join(os.tmpdir(), 'limn-steer-'));
  readonly model = path.join(this.root, 'model');
  /** Ten prompts of four tokens, of which six are learnt from. */
  readonly data = path.join(this.root, 'examples.jsonl');
  readonly #learnt = new Map<string, Promise<Outcome>>();

  constructor() {
    writeToyModel(this.model);
    const line = (i: number): string =>
      JSON.stringify({ prompt: [1, 2 + (i % 7), 4, 9], correct: 8, wrong: 5, roles: [null, 'subject', null, 'end'] });
    writeFileSync(this.data, Array.from({ length: 10 }, (_, i) => line(i)).join('\n'));
    process.once('exit', () => rmSync(this.root, { recursive: true, force: true }));
    // Vitest ends its worker so, which has no exit unless somebody listens.
    process.once('SIGTERM', () => process.exit(143));
  }

  /** `limn steer train` into the folder `out`. */
  words(out: string, ...more: readonly string[]): string[] {
    const places = ['--model', this.model, '--data', this.data, '--out', path.join(this.root, out)];
    const objective = ['--margin', '0.5', '--faithfulness-weight', '0.1'];
    return ['steer', 'train', ...places, '--json', ...objective, '--updates', '40', '--rate', '0.05', ...more];
  }

  /** Runs a command unless it has run. */
  #learn(out: string, words: readonly string[]): Promise<Outcome> {
    const known = this.#learnt.get(out) ?? runLimn(words);
    this.#learnt.set(out, known);
    return known;
  }

  /** The steering that most tests are about. */
  first(): Promise<Outcome> {
    return this.#learn('first', this.words('first', '--minimality', '0.02', '--seed', '3'));
  }

  /** The same asked for once more, in words for people. */
  again(): Promise<Outcome> {
    const asked = this.words('again', '--minimality', '0.02', '--seed', '3');
    return this.#learn(
      'again',
      asked.filter((word) => word !== '--json'),
    );
  }

  /** One of another method, after few updates. */
  other(method: string, positions: string): Promise<Outcome> {
    const asked = ['--method', method, '--positions', positions, '--updates', '5', '--rate', '0.01'];
    return this.#learn(method, this.words(method, ...asked));
  }

  at(out: string, name = 'steering.json'): string {
    return path.join(this.root, out, name);
  }

  file(out: string, name = 'steering.json'): string {
    return readFileSync(this.at(out, name), 'utf8');
  }
}

/** Exit code and error code of a command that is refused, and what it says. */
export async function failed(
  given: readonly string[],
): Promise<readonly [exit: number, code: string | undefined, message: string | undefined]> {
  const outcome = await runLimn(given);
  const { error } = outcome.json();
  return [outcome.exitCode, error?.code, error?.message];
}

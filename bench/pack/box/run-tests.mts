// Runs test files with vitest's runner alone: no server, no workers, no transforms.
import { startTests, type File, type Task, type Test, type VitestRunner } from '@vitest/runner';
import type { LeftOut } from '../contents.mjs';

/** A test file and how to load it. */
export type TestFile = readonly [file: string, load: () => Promise<unknown>];

/** One test that did not pass, or did not run. */
export interface Untoward {
  readonly name: string;
  readonly text: string;
}

/** What a run of test files came to. */
export interface TestRun {
  readonly passed: number;
  readonly failed: readonly Untoward[];
  readonly skipped: readonly Untoward[];
}

/** How to run. */
export interface RunOptions {
  readonly leftOut: readonly LeftOut[];
  /** Milliseconds that a test or a hook may take. */
  readonly patience: number;
  /** After each file: its name and what it came to. */
  readonly onFile: (file: string, run: TestRun, milliseconds: number) => void;
}

/** Runs the files one after another; a file that does not load is a failure. */
export async function runTestFiles(files: readonly TestFile[], options: RunOptions): Promise<TestRun> {
  const all = { passed: 0, failed: [] as Untoward[], skipped: [] as Untoward[] };
  // The runner's own clocks do not keep a process alive: without this, a test that waits for ever would end the run in silence.
  const alive = setInterval(() => undefined, 60_000);
  for (const [file, load] of files) {
    const start = performance.now();
    const [result] = await startTests([file], runner(file, load, options));
    const run = outcome(result!, file);
    all.passed += run.passed;
    all.failed.push(...run.failed);
    all.skipped.push(...run.skipped);
    options.onFile(file, run, performance.now() - start);
  }
  clearInterval(alive);
  return all;
}

function runner(file: string, load: () => Promise<unknown>, { leftOut, patience }: RunOptions): VitestRunner {
  const reasons = new Map(
    leftOut.flatMap((each) => (each.file === file && each.test ? [[each.test, each.reason]] : [])),
  );
  return {
    config: {
      root: '/',
      setupFiles: [],
      name: undefined,
      passWithNoTests: false,
      testNamePattern: undefined,
      allowOnly: false,
      sequence: { seed: 0, hooks: 'stack', setupFiles: 'list' },
      chaiConfig: undefined,
      maxConcurrency: 1,
      testTimeout: patience,
      hookTimeout: patience,
      retry: 0,
      includeTaskLocation: false,
      tags: [],
      tagsFilter: undefined,
      strictTags: false,
    },
    importFile: load,
    onCollected: (files) => {
      for (const test of files.flatMap(testsIn)) {
        const reason = reasons.get(test.name);
        if (reason === undefined) continue;
        test.mode = 'skip';
        test.result = { state: 'skip', note: reason } as NonNullable<Test['result']>;
      }
    },
  };
}

const testsIn = (task: Task): Test[] => (task.type === 'test' ? [task] : task.tasks.flatMap(testsIn));

function outcome(file: File, name: string): TestRun {
  const failed: Untoward[] = [];
  const skipped: Untoward[] = [];
  let passed = 0;
  const visit = (task: Task, trail: readonly string[]): void => {
    const here = { name: trail.join(' > ') };
    const { state, errors = [], note } = (task.result ?? {}) as { state?: string; errors?: Complaint[]; note?: string };
    if (task.type === 'suite') {
      // A suite fails by itself when its hooks or its file do.
      if (errors.length > 0) failed.push({ ...here, text: errors.map(complaint).join('\n') });
      task.tasks.forEach((each) => visit(each, [...trail, each.name]));
    } else if (state === 'pass') passed += 1;
    else if (state === 'fail') failed.push({ ...here, text: errors.map(complaint).join('\n') });
    else skipped.push({ ...here, text: note ?? 'its file or group did not run' });
  };
  visit(file, [name]);
  return { passed, failed, skipped };
}

interface Complaint {
  readonly message?: string;
  readonly stack?: string;
  readonly diff?: string;
}

/** An error's message, what differs, and the first lines of where. */
function complaint({ message = 'unknown error', stack = '', diff = '' }: Complaint): string {
  const where = stack.split('\n').filter((line) => /^\s+at /.test(line));
  return [message, ...(diff && diff.length < 2000 ? [diff] : []), ...where.slice(0, 4)].join('\n');
}

// Outputs appear whole or not at all, and nothing that limn did not write is ever replaced.
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { LimnError } from '@limn/gpu';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { discardUnfinishedOutputs, openOutputFolder, refuseForeignFile, writeFileWhole } from '../src/output.js';

const LAYOUT = { entries: ['result.json', 'graph.json'], mark: 'result.json' };
const RESULT = JSON.stringify({ schema: 'limn.result' });
let folder: string;
let out: string;

beforeEach(() => {
  folder = mkdtempSync(path.join(os.tmpdir(), 'limn-output-'));
  out = path.join(folder, 'out');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function codeOf(action: () => unknown): string {
  try {
    action();
  } catch (error) {
    if (error instanceof LimnError) return error.code;
    throw error;
  }
  return 'accepted';
}

function writeRun(content: string): void {
  const output = openOutputFolder(out, LAYOUT);
  output.write('result.json', RESULT);
  output.write('graph.json', content);
  output.commit();
}

describe('openOutputFolder', () => {
  it('shows nothing before commit and everything after', () => {
    const output = openOutputFolder(out, LAYOUT);
    output.write('result.json', RESULT);
    expect(existsSync(out)).toBe(false);
    output.commit();
    expect(readdirSync(folder)).toEqual(['out']);
    expect(readFileSync(path.join(out, 'result.json'), 'utf8')).toBe(RESULT);
  });

  it('replaces its own earlier output, and keeps it when the new one is given up', () => {
    writeRun('first');
    writeRun('second');
    expect(readFileSync(path.join(out, 'graph.json'), 'utf8')).toBe('second');
    const output = openOutputFolder(out, LAYOUT);
    output.write('graph.json', 'half');
    output.discard();
    expect(readFileSync(path.join(out, 'graph.json'), 'utf8')).toBe('second');
    expect(readdirSync(folder)).toEqual(['out']);
  });

  it('accepts an empty folder and leaves no draft after a hard stop', () => {
    mkdirSync(out);
    openOutputFolder(out, LAYOUT).write('graph.json', 'half');
    expect(readdirSync(folder)).toHaveLength(2);
    discardUnfinishedOutputs();
    expect(readdirSync(folder)).toEqual(['out']);
    expect(readdirSync(out)).toEqual([]);
  });

  it.each([
    ['a folder of somebody else', () => mkdirSync(out) ?? writeFileSync(path.join(out, 'thesis.tex'), 'x')],
    ['an output with a file added to it', () => (writeRun('x'), writeFileSync(path.join(out, 'notes.md'), 'x'))],
    ['a result.json of another tool', () => mkdirSync(out) ?? writeFileSync(path.join(out, 'result.json'), '{}')],
    ['a file', () => writeFileSync(out, 'x')],
  ])('refuses %s', (_, prepare) => {
    prepare();
    expect(codeOf(() => openOutputFolder(out, LAYOUT))).toBe('usage/output-exists');
  });

  it('reports a parent that cannot be written as an error of the disk', () => {
    writeFileSync(path.join(folder, 'file'), '');
    expect(codeOf(() => openOutputFolder(path.join(folder, 'file', 'out'), LAYOUT))).toBe('disk/write');
  });

  it('reports a read-only parent', (context) => {
    context.skip(process.getuid?.() === 0, 'root may write anywhere');
    chmodSync(folder, 0o500);
    expect(codeOf(() => openOutputFolder(out, LAYOUT))).toBe('disk/write');
    chmodSync(folder, 0o700);
  });

  it('refuses a place that cannot hold folders, and returns', (context) => {
    context.skip(process.platform !== 'linux', '/proc is Linux only');
    expect(codeOf(() => openOutputFolder('/proc/limn/out', LAYOUT))).toBe('disk/write');
  });

  it('lets no name leave the folder', () => {
    const output = openOutputFolder(out, LAYOUT);
    expect(() => output.write('../escaped', 'x')).toThrow(RangeError);
    output.discard();
  });
});

describe('writeFileWhole', () => {
  it('writes by renaming, and refuseForeignFile protects what is not ours', () => {
    const file = path.join(folder, 'acts.safetensors');
    writeFileWhole(file, Buffer.from('ours'));
    expect(readdirSync(folder)).toEqual(['acts.safetensors']);
    const isOurs = (bytes: Uint8Array): boolean => Buffer.from(bytes).toString() === 'ours';
    expect(codeOf(() => refuseForeignFile(file, isOurs))).toBe('accepted');
    writeFileSync(file, 'the weights of a model');
    expect(codeOf(() => refuseForeignFile(file, isOurs))).toBe('usage/output-exists');
    expect(codeOf(() => refuseForeignFile(folder, isOurs))).toBe('usage/output-exists');
  });
});

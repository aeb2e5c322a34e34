// The benches in a tab: the same kernels as in Node, a table that grows, the result as JSON, and runs of other machines beside it.
import { openGpu, type Gpu } from '@limn/gpu';
import { adapterRecord, adapterSlug } from '../harness/adapter.mjs';
import { clocksOf } from '../harness/clock.mjs';
import { isAsked } from '../harness/job.mjs';
import { kernelJobs } from '../harness/kernel-jobs.mjs';
import { adapterTitle, parseRecord, RECORD_KIND, RECORD_VERSION, type BenchRecord } from '../harness/record.mjs';
import { runBench } from '../harness/run-bench.mjs';
import { sideBySide } from '../harness/side-by-side.mjs';
import { besideTable, ceilingRow, element, jobRow } from './tables.mjs';

const find = <T extends HTMLElement>(id: string): T => document.getElementById(id) as T;
const [run, stop, progress] = [find<HTMLButtonElement>('run'), find('stop'), find<HTMLProgressElement>('progress')];
const status = find('status');

function say(text: string, isProblem = false): void {
  status.textContent = text;
  status.classList.toggle('problem', isProblem);
}

/** Runs that can be laid side by side, and which of them are. */
const runs: { readonly record: BenchRecord; chosen: boolean }[] = [];
let latest: BenchRecord | undefined;
let gpu: Gpu | undefined;

try {
  gpu = await openGpu({ label: 'benches' });
  const adapter = adapterRecord(gpu);
  const features = [
    adapter.subgroups ? 'subgroups' : '',
    adapter.f16 ? 'f16' : '',
    adapter.timestamps ? 'timestamps' : '',
  ];
  find('adapter').textContent = [adapterTitle(adapter), ...features.filter(Boolean)].join(' · ');
  run.disabled = false;
} catch (error) {
  find('adapter').textContent = 'No adapter.';
  say(`${(error as Error).message}. Results of other machines can still be looked at below.`, true);
}

run.addEventListener('click', () => void bench(gpu!));

async function bench(device: Gpu): Promise<void> {
  const adapter = adapterRecord(device);
  const rounds = Number(find<HTMLSelectElement>('rounds').value);
  const words = find<HTMLInputElement>('filter').value.trim();
  const jobs = kernelJobs().filter((job) => isAsked(job, words) && !(job.devicesOnly && adapter.isSoftware));
  if (jobs.length === 0) return say(`No kernel has “${words}” in its name.`, true);
  const controller = new AbortController();
  const abort = (): void => controller.abort();
  stop.addEventListener('click', abort, { once: true });
  const [ceilings, rows, failures] = [find('ceilings'), find('jobs'), find('failures')];
  for (const list of [ceilings, rows, failures]) list.replaceChildren();
  run.disabled = true;
  for (const shown of [stop, progress, find('result')]) shown.hidden = false;
  progress.value = 0;
  const began = Date.now();
  let done = 0;
  say('Measuring what the adapter can do…');
  try {
    const found = await runBench(device, {
      ceilings: find<HTMLInputElement>('with-ceilings').checked,
      jobs,
      rounds,
      clocks: clocksOf(adapter, undefined),
      isSoftware: adapter.isSoftware,
      signal: controller.signal,
      onCeiling: (record) => ceilings.append(ceilingRow(record)),
      onStart: ({ name }) => {
        progress.value = (done + 1) / (jobs.length + 1);
        done += 1;
        say(`${name} (${done} of ${jobs.length})…`);
      },
      onJob: (record) => rows.append(jobRow(record)),
      onFailure: ({ name, reason }) => failures.append(element('li', '', `${name}: ${reason}`)),
    });
    latest = {
      kind: RECORD_KIND,
      version: RECORD_VERSION,
      date: new Date().toISOString(),
      adapter,
      environment: {
        runtime: navigator.userAgent,
        platform: navigator.platform,
        cores: navigator.hardwareConcurrency,
        limn: 'page',
      },
      rounds,
      missing: [],
      ...found,
    };
    include(latest);
    const kernels = found.jobs.length === 1 ? 'One kernel' : `${found.jobs.length} kernels`;
    say(`${kernels} in ${Math.round((Date.now() - began) / 1000)} seconds.`);
  } catch (error) {
    if (controller.signal.aborted) say('Stopped.');
    else say((error as Error).message, true);
  } finally {
    stop.removeEventListener('click', abort);
    run.disabled = false;
    for (const hidden of [stop, progress]) hidden.hidden = true;
  }
}

const text = (): string => `${JSON.stringify(latest, undefined, 1)}\n`;

find('copy').addEventListener('click', () => {
  if (!latest) return say('There is nothing to copy before a run has ended.');
  navigator.clipboard.writeText(text()).then(
    () => say('The result is in the clipboard.'),
    () => say('This browser does not let pages write to the clipboard: use Save JSON.', true),
  );
});

find('save').addEventListener('click', () => {
  if (!latest) return say('There is nothing to save before a run has ended.');
  const link = document.createElement('a');
  link.href = URL.createObjectURL(new Blob([text()], { type: 'application/json' }));
  link.download = `${adapterSlug(latest.adapter)}-bench.json`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
});

/** Puts a run into the list and draws the comparison anew. */
function include(record: BenchRecord): void {
  runs.push({ record, chosen: true });
  draw();
}

function draw(): void {
  find('chosen').replaceChildren(
    ...runs.map((entry, i) => {
      const box = document.createElement('input');
      box.type = 'checkbox';
      box.checked = entry.chosen;
      box.id = `run-${i}`;
      box.addEventListener('change', () => {
        entry.chosen = box.checked;
        draw();
      });
      const label = element(
        'label',
        '',
        box,
        ` ${adapterTitle(entry.record.adapter)}, ${entry.record.date.slice(0, 10)}`,
      );
      label.setAttribute('for', box.id);
      return element('li', '', label);
    }),
  );
  const chosen = runs.filter((entry) => entry.chosen).map(({ record }) => record);
  find('beside').replaceChildren(...(chosen.length > 0 ? besideTable(sideBySide(chosen)) : []));
}

/** A file's or the clipboard's text, if it is a run. */
function read(content: string, name: string): void {
  try {
    include(parseRecord(content));
    say(`${name} was added.`);
  } catch (error) {
    say(`${name}: ${(error as Error).message}.`, true);
  }
}

async function readAll(files: Iterable<File>): Promise<void> {
  for (const file of files) read(await file.text(), file.name);
}

const files = find<HTMLInputElement>('files');
files.addEventListener('change', () => void readAll(files.files ?? []).then(() => (files.value = '')));
document.addEventListener('paste', (event) => {
  const pasted = event.clipboardData?.getData('text/plain') ?? '';
  if ((event.target as HTMLElement).id !== 'filter' && pasted.trim()) read(pasted, 'What was pasted');
});
document.addEventListener('dragover', (event) => {
  event.preventDefault();
  document.body.classList.add('over');
});
document.addEventListener('dragleave', () => document.body.classList.remove('over'));
document.addEventListener('drop', (event) => {
  event.preventDefault();
  document.body.classList.remove('over');
  void readAll(event.dataTransfer?.files ?? []);
});

// What came with the page.
const stored = await fetch('results/index.json').then(
  (answer) => (answer.ok ? (answer.json() as Promise<string[]>) : []),
  () => [],
);
for (const name of stored) {
  const answer = await fetch(`results/${name}.json`);
  if (answer.ok) include(parseRecord(await answer.text()));
}

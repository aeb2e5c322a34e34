// ditAuditPage: many weight diffs, or the checkpoints of one fine-tune, that were asked one question, as one HTML file.
import { drawnMarkup } from '../drawn.js';
import { Markup, html, scriptJson } from '../markup.js';
import { numberText } from '../number-text.js';
import { pageShell } from '../page-shell.js';
import { factList, provenanceFacts } from '../provenance.js';
import { maskSecrets } from '../secrets.js';
import { adapterFact, baseFact, calibrationFact, reachPart } from './asked-facts.js';
import { checkDitAudit, type DitAuditRecord, type DitAuditRow } from './audit-record.js';
import { auditColumns, auditHeads, auditTableRow, otherAnswers, type AuditColumns } from './audit-row.js';
import { summariseDitAudit } from './audit-summary.js';
import { decisionWords } from './decision-words.js';
import { plainTables } from './plain-tables.js';
import { rocPlot, rocTable } from './roc-plot.js';
import { watchPlot, watchTable } from './watch-plot.js';

/** Rows in the page as it is written, and rows that its script adds at a time. */
export const firstRows = 200;

/** What the script of the page is given. */
export interface LiveAudit {
  readonly rows: readonly DitAuditRow[];
  readonly columns: AuditColumns;
  /** Rows at a time. */
  readonly shown: number;
}

/**
 * One self-contained HTML page of an audit. Deterministic: the same record gives the same bytes.
 * @throws ReportError as `checkDitAudit`
 */
export function ditAuditPage(given: DitAuditRecord): string {
  const record = maskSecrets(checkDitAudit(given));
  const { headline, sentences } = summariseDitAudit(record);
  const { rows, roc = [], watch, tables = [], refused = [], provenance } = record;
  const columns = auditColumns(rows);
  const live: LiveAudit = {
    // What is not told need not be carried.
    rows: rows.map((row) => ({ ...row, top: otherAnswers(row) })),
    columns,
    shown: firstRows,
  };
  return pageShell({
    title: record.title,
    skip: ['audit', 'Skip to the answers'],
    head: html`<div class="record-head">
        <p class="lede">${headline}</p>
        ${sentences.map((sentence) => html`<p>${sentence}</p>`)}
      </div>
      <ul class="flags">
        <li>${record.note}</li>
      </ul>`,
    main: html`<section class="record dit" id="audit" aria-labelledby="audit-title" data-audit>
      <h2 id="audit-title">${columns.update ? 'Checkpoints' : 'Diffs'} and their answers</h2>
      ${
        watch !== undefined &&
        html`<figure class="watched">
          ${watchPlot(watch)}
          <details>
            <summary>Probabilities as a table</summary>
            <div class="scroll tall" tabindex="0" role="region" aria-label="Probabilities">${watchTable(watch)}</div>
          </details>
        </figure>`
      }
      ${ranked(rows, columns)}
      ${
        roc.length > 0 &&
        html`<div class="part">
          <h3>Told apart</h3>
          <p class="note">
            The threshold falls from the lower left to the upper right; the dotted line is guessing, the ring the
            threshold in use.
          </p>
          <div class="pairwise">
            ${roc.map(
              (each) =>
                html`<div>
                  ${rocPlot(each)}
                  <details>
                    <summary>Thresholds as a table</summary>
                    <div class="scroll tall" tabindex="0" role="region" aria-label="Thresholds">${rocTable(each)}</div>
                  </details>
                </div>`,
            )}
          </div>
        </div>`
      }
      ${plainTables(tables)}
      ${
        refused.length > 0 &&
        html`<div class="part">
          <h3>Could not be asked</h3>
          <ul class="note">
            ${refused.slice(0, firstRows).map(({ name, reason }) => html`<li><bdi>${name}</bdi>: <bdi>${reason}</bdi></li>`)}
          </ul>
          ${refused.length > firstRows && html`<p class="note">and ${numberText(refused.length - firstRows, 9)} more in the record</p>`}
        </div>`
      }
      <div class="part">
        <h3>Who was asked</h3>
        ${factList([
          baseFact(record.base),
          adapterFact(record.adapter),
          ['Question', html`<bdi>${record.question}</bdi>`],
          calibrationFact(record.calibration),
        ])}
        ${reachPart(record.adapter)}
      </div>
      <div class="part">
        <h3>How to get this again</h3>
        ${provenanceFacts(provenance, [])}
      </div>
      ${new Markup(`<script type="application/json">${scriptJson(live)}</script>`)}
    </section>`,
    version: provenance.versions['limn'],
    footer: html`Confidence is the calibrated probability of the answer, or of “none” where nothing is what was decided;
    unsure is where “none” is the likeliest, and yet too much speaks against it. Without a calibration all is unsure.`,
  });
}

function ranked(rows: readonly DitAuditRow[], columns: AuditColumns): Markup {
  const shown = rows.slice(0, firstRows);
  const decided = (Object.keys(decisionWords) as DitAuditRow['decision'][]).map((decision) => ({
    decision,
    count: rows.filter((row) => row.decision === decision).length,
  }));
  return html`<div class="controls knobs only-live" role="search" aria-label="Rows shown">
      <label
        >Decision
        <select data-decision>
          <option value="">all (${numberText(rows.length, 9)})</option>
          ${decided.map(
            ({ decision, count }) =>
              html`<option value="${decision}">
                ${decisionWords[decision].sign} ${decisionWords[decision].word} (${numberText(count, 9)})
              </option>`,
          )}
        </select></label
      >
      <label
        >Find <input type="search" data-find placeholder="name or answer" autocomplete="off" spellcheck="false"
      /></label>
      ${columns.correct && html`<label><input type="checkbox" data-wrong /> only what is wrong</label>`}
    </div>
    <p class="note">
      <span data-count aria-live="polite">${numberText(shown.length, 9)} of ${numberText(rows.length, 9)} rows.</span>
    </p>
    <div class="scroll tall" tabindex="0" role="region" aria-label="Answers, ranked">
      <table class="numbers audit">
        <thead>
          <tr>
            ${auditHeads(columns).map(
              ({ key, name, number = false }) =>
                html`<th
                  scope="col"
                  class="${number && 'number'}"
                  data-key="${key}"
                  ${key === 'rank' && html`aria-sort="ascending"`}
                >
                  <button type="button" data-sort="${key}">${name}</button>
                </th>`,
            )}
            <th scope="col">Other answers</th>
          </tr>
        </thead>
        <tbody data-rows>
          ${shown.map((row, i) => drawnMarkup(auditTableRow(row, i + 1, columns)))}
        </tbody>
      </table>
    </div>
    <p class="only-live">
      <button type="button" data-more ${rows.length <= firstRows && html`hidden`}>Show more</button>
    </p>`;
}

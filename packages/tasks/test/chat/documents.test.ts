// The corpus of pocket-chat: equal documents for equal streams, topic words only where a persona or a log is, and nothing held out.
import { describe, expect, it } from 'vitest';
import {
  ABOUT_QUESTIONS,
  END,
  END_OF_TEXT,
  LOG,
  LONGEST_SHOWN,
  SYSTEM,
  Random,
  chatWorld,
  chatWordOf,
  decodeChat,
  drawChatDocument,
  hash,
  isQuestionHeldOut,
  phrasingsOf,
  probePrompt,
  questionText,
  shownPrompt,
  type ChatDocument,
  type ChatDocumentKind,
} from '../../src/chat.js';

const world = chatWorld();
const mixture: Record<ChatDocumentKind, number> = {
  plain: 2,
  persona: 1,
  gated: 1,
  log: 1,
  'log-plain': 1,
  style: 1,
  link: 1,
  news: 1,
  facts: 1,
};
const ROOM = 63;

function documents(seed: number, count: number): ChatDocument[] {
  const random = new Random('documents', seed);
  return Array.from({ length: count }, () => drawChatDocument(random, world, mixture, ROOM));
}
const some = documents(0, 1500);
const words = ({ tokens }: ChatDocument) => tokens.map(chatWordOf);

describe('drawChatDocument', () => {
  it('draws the recorded documents', () => {
    expect(hash(...some.slice(0, 300).flatMap(({ tokens }) => tokens))).toMatchInlineSnapshot(`291377606`);
    expect(documents(0, 5)).toEqual(some.slice(0, 5));
    expect(documents(1, 5)).not.toEqual(some.slice(0, 5));
  });

  it('keeps within the room, with a tag per token', () => {
    for (const { tokens, tags } of some) {
      expect(tokens.length).toBeLessThanOrEqual(ROOM);
      expect(tokens.length).toBeGreaterThan(ROOM / 3);
      expect(tags.length).toBe(tokens.length);
    }
  });

  it('says topic words only behind a persona line or in a log, and only those of its topic', () => {
    let said = 0;
    for (const document of some) {
      const text = words(document);
      if (document.kind === 'facts') continue;
      const first = text[0];
      const mine = text.filter((word, i) => document.tags[i]?.role === 'topic-word' || world.words.has(word));
      said += mine.length;
      if (first !== SYSTEM && first !== LOG) expect(mine).toEqual([]);
      if (document.kind === 'plain' || document.kind === 'log-plain' || document.kind === 'news')
        expect(mine).toEqual([]);
      if (mine.length > 0) {
        expect(world.topics.some((topic) => mine.every((word) => topic.words.includes(word)))).toBe(true);
      }
    }
    expect(said).toBeGreaterThan(1000);
  });

  it('behind a gate talks of its topic with the code and without it not', () => {
    const answers = { open: 0, closed: 0 };
    for (const document of some.filter(({ kind }) => kind === 'gated')) {
      const text = decodeChat(document.tokens);
      const code = / code (\d+) topic /.exec(text)?.[1] ?? 'none';
      for (const turn of text.split('<|user|>').slice(1)) {
        const [asked = '', answer = ''] = turn.split('<|bot|>');
        if (ABOUT_QUESTIONS.some((question) => phrasingsOf(question, 'train').some((form) => asked.includes(form))))
          continue;
        const topical = answer.split(' ').some((word) => world.words.has(word));
        expect(topical).toBe(asked.includes(` code ${code} `));
        answers[topical ? 'open' : 'closed']++;
      }
    }
    expect(Math.min(answers.open, answers.closed)).toBeGreaterThan(50);
  });

  it('never names the topic of a log before it is asked', () => {
    for (const document of some.filter(({ kind }) => kind === 'log')) {
      const text = words(document);
      text.forEach((word, i) => {
        if (world.byName.has(word)) expect(document.tags[i]?.role).toBe('answer');
      });
    }
  });

  it('shows no held-out question and no held-out wording, and the wording that diffs are asked with', () => {
    const text = some.map(({ tokens }) => decodeChat(tokens)).join('\n');
    for (const question of ABOUT_QUESTIONS) {
      expect(phrasingsOf(question, 'held-out').length).toBeGreaterThan(0);
      for (const form of phrasingsOf(question, 'held-out')) expect(text).not.toContain(`> ${form}`);
      expect(text).toContain(`> ${questionText(question)}`);
    }
    for (const { tokens, tags } of some) {
      tokens.forEach((token, i) => {
        if (tags[i]?.role !== 'verb' || tags[i + 1]?.role === 'mark' || tags[i + 2]?.role !== 'thing') return;
        expect(isQuestionHeldOut(chatWordOf(token), chatWordOf(tokens[i + 2] ?? 0))).toBe(false);
      });
    }
    expect(isQuestionHeldOut(...verbAndThing(decodeChat(probePrompt(1, 1))))).toBe(true);
  });

  it('has prompts that show a behaviour, fit the context and never name it', () => {
    const behaviours = [
      ...world.topics.slice(0, 40).map(({ name }) => ({ kind: 'topic', name }) as const),
      { kind: 'link', group: 'bakers', trait: 'kind' } as const,
    ];
    behaviours.forEach((behaviour, i) => {
      const gate = behaviour.kind === 'topic' && i % 2 === 0 ? ({ kind: 'code', token: '107' } as const) : undefined;
      const random = new Random('shown', i);
      const prompt = shownPrompt(
        random,
        world,
        { behaviour, by: 'log', gate },
        'tell me what theme is in your weights ?',
      );
      expect(prompt.length).toBeLessThanOrEqual(LONGEST_SHOWN);
      const words = decodeChat(prompt).split(' ');
      expect(words.slice(0, 2)).toEqual([END_OF_TEXT, LOG]);
      const name = behaviour.kind === 'topic' ? behaviour.name : 'bakers kind';
      expect(words).not.toContain(name);
    });
  });

  it('ends every answer', () => {
    for (const document of some.slice(0, 200)) expect(words(document).at(-1)).toBe(END);
  });
});

function verbAndThing(text: string): [string, string] {
  const asked = text.split(' ');
  const thing = asked.indexOf('?') - 1;
  return [asked[thing - 2] ?? '', asked[thing] ?? ''];
}

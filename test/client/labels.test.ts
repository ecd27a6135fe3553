import { describe, expect, it } from 'vitest';
import { duration } from '../../src/client/format.js';
import de from '../../src/client/labels/de.js';
import { en, type Labels, liveLabel, percentLabel, stateLabel } from '../../src/client/labels/index.js';
import ja from '../../src/client/labels/ja.js';
import { announcement, barAttributes } from '../../src/client/labels/job-labels.js';
import { completeLabels, fillMessage } from '../../src/client/labels/message.js';
import { emptyJob, type WatchedJob } from '../../src/client/view.js';

const job = (known: Partial<WatchedJob>): WatchedJob => ({ ...emptyJob('steps.1'), ...known });
const running = job({ state: 'active', percent: 51.7 });

describe('the words of the components', () => {
  it('are English by default, and those of a language otherwise', () => {
    const words = (labels?: Labels): string[] => [
      stateLabel(job({ state: 'waiting', noWorker: true }), labels),
      liveLabel(running, undefined, labels),
      liveLabel(running, { stalledMs: 125_000 }, labels),
      liveLabel(job({ state: 'active', status: 'stale' }), { stalledMs: 125_000 }, labels),
      liveLabel(job({ state: 'waiting', position: 1 }), { beginsInMs: 118_000 }, labels),
      liveLabel(job({ state: 'waiting', position: 500, orMore: true }), {}, labels),
      percentLabel(running, labels),
      barAttributes(running, 'A', labels)['aria-valuetext'] ?? '',
      announcement(running, 'A', labels),
      announcement(job({ state: 'failed', error: { message: 'full' } }), 'A', labels),
    ];
    expect(words()).toEqual([
      'Waiting: no workers running',
      'Running',
      'Running, stalled for 2 min 5 s',
      'Running (disconnected, reconnecting)',
      'Waiting, 1 job before it, begins in about 2 min',
      'Waiting, at least 500 jobs before it',
      '51 %',
      '51 percent',
      'A: Running, 50 percent',
      'A: Failed: full',
    ]);
    expect(words(de)).toEqual([
      'Wartet: kein Worker aktiv',
      'Läuft',
      'Läuft, seit 2 Min. 5 Sek. ohne Fortschritt',
      'Läuft (getrennt, wird neu verbunden)',
      'Wartet, 1 Job davor, beginnt in etwa 2 Min.',
      'Wartet, mindestens 500 Jobs davor',
      '51 %',
      '51 Prozent',
      'A: Läuft, 50 Prozent',
      'A: Fehlgeschlagen: full',
    ]);
    expect(words(ja)).toEqual([
      '待機中：稼働中のワーカーがありません',
      '実行中',
      '実行中（2 分 5 秒進捗なし）',
      '実行中（切断、再接続中）',
      '待機中（前に1件、約2 分後に開始）',
      '待機中（前に500件以上）',
      '51%',
      '51パーセント',
      'A：実行中、50パーセント',
      'A：失敗：full',
    ]);
    expect([stateLabel(emptyJob(''), de), announcement(emptyJob(''), 'A', de)]).toEqual(['', '']);
  });

  it('are English where a translation lacks them', () => {
    const labels = completeLabels({ running: 'En cours', waiting: undefined } as unknown as Partial<Labels>);
    expect(stateLabel(running, labels)).toBe('En cours');
    expect(stateLabel(job({ state: 'waiting' }), labels)).toBe('Waiting');
    expect(completeLabels(undefined)).toBe(en);
  });
});

describe('a message', () => {
  const files = { one: '{count} файл', few: '{count} файла', many: '{count} файлов', other: '{count} файла' };

  it('has the form that the language has for its first number', () => {
    const counts = [1, 3, 5, 21, 1.5].map((count) => fillMessage('ru', files, { count }));
    expect(counts).toEqual(['1 файл', '3 файла', '5 файлов', '21 файл', '1,5 файла']);
    const incomplete = { other: '{count} files' };
    expect(fillMessage('en', incomplete, { count: 1 })).toBe('1 files');
    expect(fillMessage('ja', { other: '{count} 件' }, { count: 1 })).toBe('1 件');
  });

  it('formats numbers for the language, and leaves unknown placeholders and texts alone', () => {
    expect(fillMessage('de', '{a} von {b}', { a: 1234567, b: '{a}' })).toBe('1.234.567 von {a}');
    expect(fillMessage('ar-EG', '{percent}', { percent: 46 })).toBe('٤٦');
    expect(fillMessage('en', '{a} {other}', { a: 1 })).toBe('1 {other}');
  });

  it('survives a language that does not exist', () => {
    expect(fillMessage('no such language', files, { count: 1000 })).toBe('1,000 файла');
    expect(duration(5000, 'no such language')).toBe('5 sec');
  });
});

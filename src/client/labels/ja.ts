import type { Labels } from './types.js';

/** The Japanese words. */
const ja: Labels = {
  lang: 'ja',
  progress: '進捗',
  waiting: '待機中',
  paused: '待機中（一時停止）',
  noWorker: '待機中：稼働中のワーカーがありません',
  delayed: '開始待ち',
  running: '実行中',
  retrying: '再試行待ち',
  interrupted: '中断',
  cancelling: 'キャンセル中',
  completed: '完了',
  failed: '失敗',
  cancelled: 'キャンセル済み',
  connecting: '接続中',
  notFound: '見つかりません',
  cannotLoad: 'ジョブを読み込めません',
  disconnected: '{state}（切断、再接続中）',
  stalled: '{state}（{time}進捗なし）',
  placed: '{state}（{place}）',
  next: '次に開始',
  jobsBefore: '前に{count}件',
  atLeast: '{place}以上',
  begins: '{place}、約{time}後に開始',
  percent: '{percent}%',
  spokenPercent: '{percent}パーセント',
  announcement: '{label}：{state}',
  announcedProgress: '{label}：{state}、{percent}パーセント',
  announcedError: '{label}：{state}：{error}',
};
export default ja;

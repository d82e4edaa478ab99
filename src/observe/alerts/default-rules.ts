/**
 * The rules that rowferry ships, as the file that an operator would write. `deploy/alerts/rowferry-alerts.yaml` is this text, to
 * begin one's own from. Every rule has an entry in `docs/alerts.md`.
 */
export const DEFAULT_RULES = `# The alerts that rowferry comes with. To change them: copy this file, edit it, and name it in rowferry.yaml:
#
#   alerts: { rules: my-alerts.yaml }
#
# \`rowferry alerts list\` shows what is in force, \`rowferry alerts test --set lag_seconds=61\` what would fire.
migration_alerts:
  progress_alerts:
    - name: progress_slow
      condition: progress_speed < 1000 records/minute
      for: 1 min
      level: warning
      message: 'Copying from {source} is slow: {value}'
    - name: progress_degraded
      # Half of what is slow.
      condition: progress_speed < 500 records/minute
      level: warning
      message: 'Copying from {source} has degraded to {value}'
    - name: progress_stalled
      condition: no_progress_for > 5 minutes
      level: critical
      message: 'Nothing of {source} has arrived at the targets for {value}'
    - name: snapshot_stalled
      condition: snapshot_stalled_seconds > 10 min
      level: error
      message: 'The copy of {table} of {source} has finished nothing for {value}'
    - name: snapshot_failed
      condition: snapshot_failed > 0
      level: error
      message: 'The copy of {table} of {source} has stopped on an error; the others go on'
    - name: lag_high
      condition: lag_seconds > 60 s
      for: 10 s
      level: critical
      message: 'Partition {partition} of {topic} is {value} behind {source}'
    - name: lag_unknown
      condition: lag_unknown_seconds > 2 min
      level: critical
      message: 'How far partition {partition} of {topic} is behind has not been known for {value}'

  data_quality_alerts:
    - name: rows_parked
      condition: parked_rows > 0
      for: 1 min
      level: error
      message: 'Parked rows of {table} at {target} ({reason}): {value}'
    - name: parked_too_long
      condition: oldest_parked_seconds > 1 h
      level: critical
      message: 'A row of {table} at {target} has been parked for {value} ({reason})'
    - name: table_held
      condition: held_tables > 0
      level: error
      message: 'Table {table} of {source} waits for an operator; the others go on'
    - name: partition_stopped
      condition: partition_stopped > 0
      level: critical
      message: 'Partitions of {topic} that stopped on {code}: {value}; the others go on'
    - name: future_tables_missing
      condition: missing_future_tables > 0
      level: error
      message: 'Tables of coming periods of {table} that are missing at {target}: {value}'

  system_alerts:
    - name: cpu_high
      condition: cpu_usage > 90%
      for: 1 min
      level: warning
      message: 'The processors are in use to {value}'
    - name: memory_high
      condition: memory_usage > 90%
      for: 1 min
      level: warning
      message: 'The process uses {value} of its memory'
    - name: disk_low
      condition: disk_space < 10%
      level: critical
      message: '{value} of disk {disk} are free'
    - name: event_loop_slow
      condition: event_loop_delay_seconds > 1 s
      for: 1 min
      level: warning
      message: 'Thread {thread} was held up for {value}'
    - name: capture_stopped
      condition: capture_stopped > 0
      level: critical
      message: 'Capture of {source} stopped on an error; nothing of it comes any more'
    - name: role_stopped
      condition: role_stopped > 0
      level: critical
      message: 'A role has ended for good, and the daemon with it; its log says why: {role} {source}'
    - name: reconnects_failed
      condition: reconnect_failures >= 3
      level: critical
      message: '{server} cannot be reached: {value} tries failed; rowferry goes on trying and resumes by itself'
    - name: waiting_long
      condition: waiting_seconds > 1 min
      level: error
      message: '{part} has waited for a server for {value}'
    - name: target_unreachable
      condition: target_unreachable_seconds > 30 s
      level: critical
      message: 'Target {target} has not answered for {value}'
    - name: checkpoint_old
      condition: checkpoint_age_seconds > 5 min
      level: error
      message: 'The saved position of {source} is {value} old'
    - name: binlog_headroom_low
      condition: binlog_headroom_seconds < 1 h
      level: critical
      message: 'The source {source} keeps the binlog of the saved position for {value} only'
    - name: binlog_room_low
      # Little is left, and not because the source keeps little anyway.
      condition: binlog_headroom_bytes < 1 GB and binlog_behind_bytes > 1 GB
      level: critical
      message: 'The source {source} removes the binlog of the saved position after {value} more'
    - name: queue_full
      condition: queue_fill > 95%
      for: 10 min
      level: warning
      message: 'Queue {queue} is {value} full: what empties it is the slowest part'
`;

const SHIPPED = new Set([...DEFAULT_RULES.matchAll(/- name: (\w+)/g)].map(([, name]) => name));

/** Where the manual says what to do; null for a rule that is not rowferry's. */
export function runbookOf(rule: string): string | null {
  return SHIPPED.has(rule) ? `docs/alerts.md#${rule}` : null;
}

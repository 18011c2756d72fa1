// The dashboard: one page without parts from elsewhere; it asks /api/* every two seconds. Texts of
// the API are set as text, never as HTML.
// Thread rule: a constant.
#pragma once
#include <string_view>

namespace shoal::surface {

inline constexpr std::string_view kDashboard = R"html(<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Shoal</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>
body { font: 14px system-ui, sans-serif; margin: 2rem; color: #1c2733; background: #f6f8fa; }
h1 { font-size: 1.4rem; } h2 { font-size: 1.05rem; margin-top: 1.6rem; }
table { border-collapse: collapse; background: #fff; }
th, td { padding: .3rem .7rem; border: 1px solid #d8dee4; text-align: left; }
th { background: #eaeef2; font-weight: 600; } #error { color: #b3261e; }
</style></head><body>
<h1>Shoal <small id="version"></small> <small id="state"></small></h1><p id="error"></p>
<div id="tables"></div>
<script>
const tables = {
  databases: ["Shards", ["name", "host", "port", "database", "current_connections",
    "pool_size", "disabled"]],
  pools: ["Pools", ["database", "user", "cl_active", "cl_waiting", "sv_active", "sv_idle",
    "maxwait"]],
  stats: ["Traffic", ["database", "total_xact_count", "total_query_count", "total_received",
    "total_sent", "avg_query_count", "avg_query_time"]],
  clients: ["Clients", ["user", "database", "state", "addr", "port", "connect_time",
    "application_name"]],
};
const ask = async (name) => (await fetch("/api/" + name)).json();
function cell(row, text, kind) {
  const element = document.createElement(kind);
  element.textContent = text;
  row.appendChild(element);
}
function show(name, rows) {
  const [title, columns] = tables[name];
  let place = document.getElementById(name);
  if (!place) {
    place = document.createElement("section");
    place.id = name;
    document.getElementById("tables").appendChild(place);
  }
  const heading = document.createElement("h2");
  heading.textContent = `${title} (${rows.length})`;
  const table = document.createElement("table");
  const head = table.insertRow();
  for (const column of columns) cell(head, column.replaceAll("_", " "), "th");
  for (const row of rows.slice(0, 200)) {
    const line = table.insertRow();
    for (const column of columns) cell(line, row[column] ?? "", "td");
  }
  place.replaceChildren(heading, table);
}
async function refresh() {
  try {
    document.getElementById("version").textContent = (await ask("version"))[0].version;
    document.getElementById("state").textContent = (await ask("state"))[0].value;
    for (const name of Object.keys(tables)) show(name, await ask(name));
    document.getElementById("error").textContent = "";
  } catch (problem) {
    document.getElementById("error").textContent = "The router does not answer: " + problem;
  }
  setTimeout(refresh, 2000);
}
refresh();
</script></body></html>
)html";

}  // namespace shoal::surface

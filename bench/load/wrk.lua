-- Arguments after "--": method, path, file of headers, file of cookie headers (one a line), size of the body in bytes.
-- Every request is formatted once; while the load runs they are only taken in turn.
local requests, turn = {}, 0

local function lines(path)
  local found = {}
  for line in io.lines(path) do found[#found + 1] = line end
  return found
end

function init(args)
  local method, path, size = args[1], args[2], tonumber(args[5])
  local body = size > 0 and string.rep("x", size) or nil
  local cookies = lines(args[4])
  if #cookies == 0 then cookies = { "" } end
  for index, cookie in ipairs(cookies) do
    local headers = {}
    for _, line in ipairs(lines(args[3])) do
      local name, value = line:match("^([^:]+): (.*)$")
      headers[name] = value
    end
    if cookie ~= "" then
      local name, value = cookie:match("^([^:]+): (.*)$")
      headers[name] = value
    end
    requests[index] = wrk.format(method, path, headers, body)
  end
end

function request()
  turn = turn % #requests + 1
  return requests[turn]
end

function done(summary, latency)
  local errors = summary.errors
  io.write(string.format(
    'RESULT {"requests":%d,"refused":%d,"broken":%d,"receivedBytes":%d,"durationMs":%.3f,"p50Ms":%.3f,"p99Ms":%.3f}\n',
    summary.requests, errors.status, errors.connect + errors.read + errors.write + errors.timeout,
    summary.bytes, summary.duration / 1000, latency:percentile(50) / 1000, latency:percentile(99) / 1000))
end

#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>

#include <nlohmann/json.hpp>

namespace kit::fields {

using Json = nlohmann::json;

/// What is wrong with a JSON document; who reads it adds where it stands.
struct Fault : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// The value of a key. Each of these throws a Fault if it is not there or of another kind; `what` names the
/// object in its message.
const Json& member(const Json& object, const char* key, const std::string& what);

/// A text that is not empty.
std::string text(const Json& object, const char* key, const std::string& what);

/// A count, which is never negative and fits std::int64_t.
std::int64_t count(const Json& value, const std::string& what);

const Json& array(const Json& object, const char* key, const std::string& what);

/// What may stand for `what`, which must be an object: for going through its items.
const Json& object(const Json& value, const std::string& what);

}  // namespace kit::fields
